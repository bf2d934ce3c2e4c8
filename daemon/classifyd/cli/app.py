"""All commands in one application.

A command's module imports what it needs inside the command, so that help and shell completion stay quick.
"""

import os
from typing import Annotated

import typer

import classifyd
from classifyd import crashpoints
from classifyd.cli import (
    backup,
    check,
    classify,
    config,
    models,
    produce,
    prune,
    requeue,
    results,
    run,
)
from classifyd.core.errors import ConfigurationError

app = typer.Typer(
    name="classifyd",
    help="Classifies every JPEG of a folder, a Kafka topic and HTTP requests, and loses none.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"classifyd {classifyd.__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Classifies every JPEG of a folder, a Kafka topic and HTTP requests, and loses none."""
    from classifyd.telemetry import logs

    # Standard output is the command's; `run` sets the log up anew.
    logs.configure("warning", "console")
    try:
        crashpoints.arm(os.environ.get(crashpoints.VARIABLE))
    except ValueError as error:
        raise ConfigurationError(str(error)) from None


app.command()(run.run)
app.command()(classify.classify)
app.add_typer(results.app, name="results")
app.command()(produce.produce)
app.command()(requeue.requeue)
app.add_typer(models.app, name="models")
app.command()(check.check)
app.command()(backup.backup)
app.command()(prune.prune)
app.add_typer(config.app, name="config")
