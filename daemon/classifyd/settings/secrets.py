"""Secrets that may be given by a file instead of by value."""

from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, SecretStr, model_validator

from classifyd.settings.types import Table

Secret = Annotated[SecretStr, Field(min_length=1)]
SECRETS = frozenset({"api_key", "sasl_plain_password", "ssl_password"})


class TableWithSecrets(Table):
    """A table in which `<secret>_file` stands for `<secret>`: the file's text less its last line break."""

    @model_validator(mode="before")
    @classmethod
    def _read_secret_files(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        found = {
            name: _read(name, data)
            for name in SECRETS & cls.model_fields.keys()
            if data.get(f"{name}_file") is not None
        }
        return {**data, **found}


def _read(name: str, data: dict[str, Any]) -> str:
    if data.get(name) is not None:
        raise ValueError(f"{name} and {name}_file are both set: keep one of them")
    path = Path(str(data[f"{name}_file"])).expanduser()
    try:
        text = path.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ValueError(f"{name}_file {path} cannot be read: {reason}") from None
    if not text:
        raise ValueError(f"{name}_file {path} is empty")
    return text
