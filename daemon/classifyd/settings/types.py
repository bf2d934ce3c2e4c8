"""The types of single settings: how a value is written, and what it is then."""

import json
import os
import re
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer

from classifyd.settings import units

LONGEST_S = 3650 * 86_400
"""Ten years: beyond every use, and within what the system's clocks and waits can count."""


class Table(BaseModel):
    """A table of the configuration file: frozen, and closed to unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=False, hide_input_in_errors=True)


def _absolute(path: Path) -> Path:
    return Path(os.path.normpath(path.expanduser().absolute()))


def _existing(path: Path) -> Path:
    try:
        there = path.is_file()
    except OSError as error:  # a folder that may not be entered, say
        raise ValueError(
            f"{path} cannot be looked at ({error.strerror}): give this user the right to enter its folder"
        ) from None
    if not there:
        raise ValueError(f"there is no file {path}")
    return path


def _duration(value: object) -> float:
    seconds = units.duration(value)
    if seconds > LONGEST_S:
        raise ValueError(f"is too long: write at most {units.duration_text(LONGEST_S)}")
    return seconds


def _texts(value: object) -> object:
    """A list may be written as text: JSON, or parts between commas (the environment, the command line)."""
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith("["):
        try:
            return json.loads(value)
        except ValueError:
            raise ValueError("is not a JSON list of texts") from None
    return [part.strip() for part in value.split(",") if part.strip()]


def _url(value: str) -> str:
    if not (re.fullmatch(r"https?://[^/\s]+[^\s]*", value) and _names_host(value)):
        raise ValueError(f"{_shown(value)} is not an address such as http://localhost:8501")
    return value.rstrip("/")


def _model_url(value: str) -> str:
    if not re.match(r"(?i)grpcs?:", value):
        return _url(value)
    if not (re.fullmatch(r"grpcs?://[^/\s@?#]+/?", value) and _names_host(value)):
        raise ValueError(f"{_shown(value)} is not an address such as grpc://localhost:8500")
    return value.rstrip("/")


def _shown(address: str) -> str:
    """Before an @ there may be a password."""
    return "what is given" if "@" in address else repr(address)


def _names_host(address: str) -> bool:
    """Whether the parts of an address can be told apart, and its host looked up (RFC 3986, RFC 3490)."""
    try:
        parts = urlsplit(address)
        return bool(parts.hostname and parts.hostname.encode("idna") and parts.port != 0)
    except ValueError:
        return False


def _version(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _scalars(value: object) -> object:
    """The environment knows text only: `5` is a number and `true` a truth there, as in TOML."""
    if not isinstance(value, dict):
        return value
    return {key: _scalar(item) if isinstance(item, str) else item for key, item in value.items()}


def _scalar(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


Duration = Annotated[
    float,
    BeforeValidator(_duration),
    PlainSerializer(units.duration_text, return_type=str, when_used="json"),
]
"""Seconds."""
Interval = Annotated[Duration, Field(gt=0)]
"""Seconds, more than none."""
Size = Annotated[
    int,
    BeforeValidator(units.size),
    Field(gt=0),
    PlainSerializer(units.size_text, return_type=str, when_used="json"),
]
"""Bytes."""
Pixels = Annotated[
    int,
    BeforeValidator(units.pixels),
    Field(gt=0),
    PlainSerializer(units.pixels_text, return_type=str, when_used="json"),
]
Count = Annotated[int, Field(ge=1)]
Port = Annotated[int, Field(ge=0, le=65_535)]
AbsolutePath = Annotated[Path, AfterValidator(_absolute)]
"""A path, resolved against the working directory."""
ExistingFile = Annotated[AbsolutePath, AfterValidator(_existing)]
Texts = Annotated[tuple[str, ...], BeforeValidator(_texts)]
Url = Annotated[str, AfterValidator(_url)]
ModelUrl = Annotated[str, AfterValidator(_model_url)]
"""The address of a TensorFlow Serving, for REST or, with grpc:// or grpcs://, for gRPC."""
Version = Annotated[str, BeforeValidator(_version), Field(pattern=r"^(latest|\d+)$")]
Name = Annotated[str, Field(min_length=1)]
ModelName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
"""Stands in addresses, metrics and variables."""
Options = Annotated[dict[str, Any], BeforeValidator(_scalars)]
"""Settings of a library, under its own names."""
