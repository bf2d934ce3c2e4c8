"""`classifyd results`: looks at what is recorded, also while the daemon runs."""

import json
import sys
from datetime import UTC
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from classifyd.cli.filters import FromSource, Label, Name, Sha256, Since, Until, WithStatus
from classifyd.cli.options import ConfigFile, Database, database_url, overrides
from classifyd.core.errors import ClassifydError
from classifyd.core.values import Filter, Origin, Rejected, Result

if TYPE_CHECKING:
    from classifyd.store import Reader

app = typer.Typer(help="Look at what is recorded, also while the daemon runs.", no_args_is_help=True)


class Format(StrEnum):
    """How results are written."""

    CSV = "csv"
    JSONL = "jsonl"


@app.command("list")
def list_results(
    label: Label = None,
    status: WithStatus = None,
    source: FromSource = None,
    name: Name = None,
    sha256: Sha256 = None,
    since: Since = None,
    until: Until = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="At most so many.")] = 20,
    config: ConfigFile = None,
    database: Database = None,
) -> None:
    """List results, newest first."""
    from classifyd.cli.tables import table

    wanted = Filter(label, status, source, name, sha256, since, until)
    with _reader(config, database) as reader:
        found = reader.page(wanted, limit)
    if not found:
        typer.echo("No results.", err=True)
        return
    table(("classified (UTC)", "outcome", "name", "id"), map(_row, found), long="name")


@app.command()
def show(
    result_id: Annotated[str, typer.Argument(metavar="ID", show_default=False, help="The result's id.")],
    config: ConfigFile = None,
    database: Database = None,
) -> None:
    """Show all that is recorded of one result, as JSON."""
    from classifyd.core.documents import document

    with _reader(config, database) as reader:
        result = reader.get(result_id)
    if result is None:
        raise ClassifydError(f"there is no result {result_id}: see classifyd results list")
    typer.echo(json.dumps(document(result), ensure_ascii=False, indent=2))


@app.command()
def export(
    form: Annotated[Format, typer.Option("--format", help="csv for spreadsheets, jsonl to the letter.")],
    label: Label = None,
    status: WithStatus = None,
    source: FromSource = None,
    name: Name = None,
    sha256: Sha256 = None,
    since: Since = None,
    until: Until = None,
    config: ConfigFile = None,
    database: Database = None,
) -> None:
    """Write all results to standard output, newest first.

    In CSV a text that a spreadsheet would take for a formula is led by an apostrophe.
    """
    from classifyd.cli.export import as_csv, as_lines

    write = as_csv if form is Format.CSV else as_lines
    wanted = Filter(label, status, source, name, sha256, since, until)
    with _reader(config, database) as reader:
        write(reader.stream(wanted), sys.stdout)


def _reader(config: Path | None, database: str | None) -> "Reader":
    from classifyd.settings import load
    from classifyd.store import read_only

    return read_only(load(config, overrides({"database.url": database_url(database)})).database.url)


def _row(result: Result) -> tuple[str, ...]:
    outcome, moment = result.outcome, result.classified_at.astimezone(UTC)
    if isinstance(outcome, Rejected):
        ending = f"rejected: {outcome.reason}"
    else:
        ending = f"{outcome.best.label} {outcome.best.probability:.1%}"
    return f"{moment:%Y-%m-%d %H:%M:%S}", ending, _name(result.origin), result.id


def _name(origin: Origin) -> str:
    if origin.path or origin.name:
        return origin.path or origin.name or ""
    return f"{origin.topic}/{origin.partition}/{origin.offset}" if origin.topic else ""
