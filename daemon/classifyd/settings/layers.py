"""Where values come from: the file, the environment, the command line; and the order among them."""

import os
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic_settings import EnvSettingsSource

from classifyd.core.errors import ConfigurationError
from classifyd.settings.models import engine_of
from classifyd.settings.root import Settings

PREFIX = "CLASSIFYD_"
PLACES = (Path("config/classifyd.toml"), Path("/etc/classifyd/classifyd.toml"))
# Read by other parts: which file, where the client finds the daemon, a test's order to crash.
_NOT_SETTINGS = frozenset({"CLASSIFYD_CONFIG", "CLASSIFYD_URL", "CLASSIFYD_CRASH_AT"})

Values = Mapping[str, Any]
Location = tuple[str | int, ...]


@dataclass(frozen=True)
class Layer:
    """The values of one source. `variables` says whether keys are named as environment variables."""

    origin: str
    values: Values
    variables: bool = False

    def holds(self, location: Location) -> bool:
        """Whether this source gives the value, or something of the table, at a location."""
        at: Any = self.values
        for part in location:
            if isinstance(part, int):  # an item of a list, which is given whole
                return True
            if not isinstance(at, Mapping) or part not in at:
                return False
            at = at[part]
        return True

    def key(self, location: Location) -> str:
        """A location as this source's user writes it."""
        words = [str(part) for part in location if isinstance(part, str)]
        return PREFIX + "__".join(words).upper() if self.variables else ".".join(words)


def from_file(path: Path | None) -> Layer | None:
    """The configuration file: the one asked for, else `$CLASSIFYD_CONFIG`, else the first that exists in its
    usual places; None where there is none. Raises ConfigurationError when it cannot be read."""
    named = path or (Path(os.environ["CLASSIFYD_CONFIG"]) if os.environ.get("CLASSIFYD_CONFIG") else None)
    found = named or next((place for place in PLACES if place.is_file()), None)
    if found is None:
        return None
    try:
        return Layer(str(found), tomllib.loads(found.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise ConfigurationError(f"{found}: there is no such configuration file") from None
    except OSError as error:
        raise ConfigurationError(f"{found}: cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{found}: is not valid TOML: {error}") from None


def from_environment() -> Layer:
    """The variables that begin with `CLASSIFYD_`, unknown ones too; empty ones count as not set."""
    ours = {
        name.upper().removeprefix(PREFIX).lower(): value
        for name, value in os.environ.items()
        if name.upper().startswith(PREFIX) and name.upper() not in _NOT_SETTINGS
    }
    unknown = {key: value for key, value in ours.items() if key.split("__")[0] not in Settings.model_fields}
    return Layer("environment", {**EnvSettingsSource(Settings)(), **unknown}, variables=True)


def merged(layers: Sequence[Layer]) -> dict[str, Any]:
    """All layers' values together; later layers win, table by table. A model whose engine a later layer
    changes is that layer's alone, for the earlier engine's keys mean nothing to it."""
    together: dict[str, Any] = {}
    for layer in layers:
        together = _merge(together, layer.values)
    return together


def _merge(below: Values, above: Values, is_models: bool = False) -> dict[str, Any]:
    result = dict(below)
    for key, value in above.items():
        old = result.get(key)
        if not (isinstance(old, Mapping) and isinstance(value, Mapping)):
            result[key] = value
        elif is_models and _names_engine(value) and _names_engine(old) and _engines_differ(value, old):
            result[key] = dict(value)
        else:
            result[key] = _merge(old, value, is_models=key == "models")
    return result


def _names_engine(table: Values) -> bool:
    """Whether a table tells its engine: by name, or by a key that only one engine has."""
    return not table.keys().isdisjoint({"engine", "url", "path"})


def _engines_differ(one: Values, other: Values) -> bool:
    return bool(engine_of({**one}) != engine_of({**other}))
