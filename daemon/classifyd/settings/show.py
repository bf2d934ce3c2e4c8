"""Settings as a person reads them: TOML with absolute paths, units, and masked secrets."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from classifyd.settings.root import Settings

# RFC 3986, section 3.2.1: the password stands between the first colon and the last @. It may hold characters
# that should have been escaped; what looks like a port and a path is none.
_PASSWORD = re.compile(r"(?<=://)([^:/?#\[]*):(?!\d+(?:[/?#]|$)).*@", re.DOTALL)


def to_toml(settings: Settings) -> str:
    """The effective settings as a configuration file; what is not set stands as a comment."""
    return "\n".join(_lines(settings.model_dump(mode="json"), ())) + "\n"


def toml_value(value: Any) -> str:
    """A plain value in TOML's notation, which for these kinds is JSON's; tables stand in line."""
    if isinstance(value, Mapping):
        inner = ", ".join(f"{_key(name)} = {toml_value(item)}" for name, item in value.items())
        return f"{{ {inner} }}" if inner else "{}"
    return json.dumps(value, ensure_ascii=False)


def _lines(table: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[str]:
    tables = {
        name: value for name, value in table.items() if isinstance(value, dict) and _is_table(path, name)
    }
    if path and len(tables) < len(table):
        yield ""
        yield f"[{'.'.join(map(_key, path))}]"
    for name, value in table.items():
        if value is None:
            yield f"# {name} is not set"
        elif name not in tables:
            yield f"{_key(name)} = {toml_value(_masked(value))}"
    for name, value in tables.items():
        yield from _lines(value, (*path, name))


def _masked(value: Any) -> Any:
    """A value, without the passwords of the addresses in it."""
    if isinstance(value, Mapping):
        return {name: _masked(item) for name, item in value.items()}
    return _PASSWORD.sub(r"\1:**********@", value) if isinstance(value, str) else value


def _is_table(path: tuple[str, ...], name: str) -> bool:
    return (*path, name) not in {("kafka", "consumer"), ("kafka", "producer")}


def _key(name: str) -> str:
    return name if name.replace("-", "").replace("_", "").isalnum() and name.isascii() else json.dumps(name)
