"""Options that several commands share."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

ConfigFile = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        metavar="FILE",
        help="Configuration file [$CLASSIFYD_CONFIG, config/classifyd.toml, /etc/classifyd/classifyd.toml].",
        show_default=False,
    ),
]
Database = Annotated[
    str | None,
    typer.Option("--database", metavar="FILE|URL", help="Record outcomes here.", show_default=False),
]
ModelUrl = Annotated[
    str | None,
    typer.Option(
        "--model-url",
        metavar="URL",
        help="Ask the TensorFlow Serving at this address for the default model.",
        show_default=False,
    ),
]


def overrides(values: Mapping[str, Any]) -> dict[str, Any]:
    """Settings by dotted key, nested as in the configuration file; None means not given."""
    nested: dict[str, Any] = {}
    for key, value in values.items():
        if value is None:
            continue
        *tables, name = key.split(".")
        table = nested
        for part in tables:
            table = table.setdefault(part, {})
        table[name] = value
    return nested


def database_url(value: str | None) -> str | None:
    """A database's address; a plain path means SQLite."""
    return value if value is None or "://" in value else f"sqlite:///{value}"
