"""`classifyd prune`: deletes old results, and their pictures where asked."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from classifyd.cli.options import ConfigFile, Database, database_url, overrides


def _age(text: str) -> timedelta:
    from classifyd.settings.units import duration

    try:
        return timedelta(seconds=duration(text))
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} {error}") from None
    except OverflowError:
        raise typer.BadParameter(f"{text!r} is longer than there are dates") from None


def prune(
    older_than: Annotated[
        timedelta,
        typer.Option(
            "--older-than", parser=_age, metavar="AGE", help="Such as 90d or 12h.", show_default=False
        ),
    ],
    files: Annotated[
        bool, typer.Option("--files", help="Delete their pictures in done and failed too.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be deleted.")] = False,
    config: ConfigFile = None,
    database: Database = None,
) -> None:
    """Delete old results. Refused while a daemon holds the database; a dry run is not.

    Ends with code 1 when a picture could not be deleted; its result stays.
    """
    from classifyd.operations.prune import prune as delete
    from classifyd.settings import load

    settings = load(config, overrides({"database.url": database_url(database)}))
    folders = (settings.inbox.done, settings.inbox.failed) if files else ()
    pruned = delete(settings.database.url, _before(older_than), folders, dry_run=dry_run)
    verb = "would be deleted" if dry_run else "deleted"
    typer.echo(f"{pruned.results:,} results and {pruned.files:,} pictures {verb}")
    for failure in pruned.failures:
        typer.echo(failure, err=True)
    raise typer.Exit(1 if pruned.failures else 0)


def _before(age: timedelta) -> datetime:
    try:
        return datetime.now(UTC) - age
    except OverflowError:
        raise typer.BadParameter("--older-than reaches back before there are dates") from None
