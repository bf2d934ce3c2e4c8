"""`classifyd models`: the models that can be had beside the bundled one."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from classifyd.cli.options import ConfigFile

if TYPE_CHECKING:
    from rich.progress import Progress as ProgressBar

    from classifyd.operations.models.catalog import Catalog, Entry
    from classifyd.operations.models.download import Progress

app = typer.Typer(help="Fetch and check models.", no_args_is_help=True)


def _names(incomplete: str) -> list[str]:
    return [entry.name for entry in _catalog().entries if entry.name.startswith(incomplete)]


Name = Annotated[
    str, typer.Argument(metavar="NAME", autocompletion=_names, help="As `models list` shows it.")
]
Into = Annotated[
    Path | None,
    typer.Option(
        "--into", metavar="FOLDER", help="The folder of models [<data_dir>/models].", show_default=False
    ),
]


@app.callback()
def models() -> None:
    """Fetch and check models."""


@app.command("list")
def list_models(into: Into = None, config: ConfigFile = None) -> None:
    """Show which models can be fetched, and which are there."""
    from rich.console import Console
    from rich.filesize import decimal
    from rich.table import Table

    from classifyd.operations.models.pull import is_there

    folder = into or _models_folder(config)
    table = Table("name", "engine", "size", "model", "pulled", box=None, pad_edge=False)
    for entry in _catalog().entries:
        pulled = "yes" if is_there(folder / entry.name) else "no"
        table.add_row(entry.name, entry.engine, decimal(entry.size), entry.title, pulled)
    Console().print(table)


@app.command()
def pull(
    name: Name,
    offered: Annotated[
        list[Path] | None,
        typer.Option(
            "--from",
            metavar="FILE",
            help="Take this downloaded file instead of fetching it; may be given several times.",
        ),
    ] = None,
    into: Into = None,
    config: ConfigFile = None,
) -> None:
    """Fetch a model, check every file of it and put it in its place."""
    import requests

    from classifyd.operations.models.download import Downloader
    from classifyd.operations.models.pull import Puller

    entry = _catalog().entry(name)
    with requests.Session() as session, _bars() as bars:
        puller = Puller(into or _models_folder(config), Downloader(session), lambda file: _bar(bars, file))
        folder = puller.pull(entry, offered or ())
    typer.echo(f"{entry.title}: {folder}")
    typer.echo(_how_to_use(entry, folder))


@app.command()
def verify(name: Name, into: Into = None, config: ConfigFile = None) -> None:
    """Check every file of a fetched model against the catalog."""
    from classifyd.operations.models.catalog import CatalogError
    from classifyd.operations.models.pull import find_faults, is_there

    entry = _catalog().entry(name)
    folder = (into or _models_folder(config)) / entry.name
    if not is_there(folder):
        raise CatalogError(f"{folder} is not there; get it with: classifyd models pull {entry.name}")
    if faults := find_faults(entry, folder):
        raise CatalogError("\n".join(f"{folder}/{fault}" for fault in faults))
    typer.echo(f"{folder}: as the catalog says")


def _catalog() -> "Catalog":
    from classifyd.engines.bundled import bundled_model
    from classifyd.operations.models.catalog import Catalog

    return Catalog.read(bundled_model("resnet_cifar10").parent / "catalog.toml")


def _models_folder(config: Path | None) -> Path:
    from classifyd.settings import load

    return load(config, {}).data_dir / "models"


@contextmanager
def _bars() -> Iterator["ProgressBar"]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(TextColumn("{task.description}"), *columns, console=Console(stderr=True)) as bars:
        yield bars


def _bar(bars: "ProgressBar", file: str) -> "Progress":
    task = bars.add_task(file, total=None)

    def show(have: int, total: int | None) -> None:
        bars.update(task, completed=have, total=total)

    return show


def _how_to_use(entry: "Entry", folder: Path) -> str:
    place = f'path = "{folder.absolute()}"'
    if entry.engine == "tfserving":
        place = f'url = "http://localhost:8501"\nlabels = "{folder.absolute()}/labels.txt"'
    return f'Use it:\n\n[models.resnet]\nengine = "{entry.engine}"\n{place}'
