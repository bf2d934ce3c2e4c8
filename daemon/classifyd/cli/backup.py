"""`classifyd backup`: copies the database, whether the daemon runs or not."""

from pathlib import Path
from typing import Annotated

import typer

from classifyd.cli.options import ConfigFile, Database, database_url, overrides


def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The copy; it must not exist yet.")],
    config: ConfigFile = None,
    database: Database = None,
) -> None:
    """Copy the database into a new file, also while the daemon runs."""
    from classifyd.operations.backup import backup as copy
    from classifyd.settings import load

    settings = load(config, overrides({"database.url": database_url(database)}))
    target = file.expanduser().absolute()
    size = copy(settings.database.url, target)
    typer.echo(f"{target}: {size:,} bytes")
