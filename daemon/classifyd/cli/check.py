"""`classifyd check`: is everything there that the daemon needs?"""

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

import typer

from classifyd.cli.options import ConfigFile

if TYPE_CHECKING:
    from classifyd.operations.check import Finding
    from classifyd.settings import Settings


def check(config: ConfigFile = None) -> None:
    """Check settings, folders, database, broker, topics, HTTP, models: each OK, or the reason and what to do.

    Ends with code 1 when something is wrong, 2 when the settings are.
    """
    from classifyd.settings import load

    settings = load(config, {})
    typer.echo("OK      configuration")
    wrong = 0
    for finding in _findings(settings):
        wrong += not finding.ok
        typer.echo(f"{'OK' if finding.ok else 'WRONG':7} {finding.subject}: {finding.detail}")
    raise typer.Exit(1 if wrong else 0)


def _findings(settings: "Settings") -> "Iterator[Finding]":
    from classifyd.bootstrap import make_classifier
    from classifyd.http.server import try_address
    from classifyd.operations import check as operation
    from classifyd.sources.folder.config import FolderConfig

    inbox, kafka = settings.inbox, settings.kafka
    if inbox.enabled:
        values = inbox.model_dump(exclude={"enabled", "model"})
        yield from operation.check_inbox(FolderConfig(**values, create=settings.creates_inbox))
    yield operation.check_database(settings.database.url)
    if kafka.enabled:
        topics = (kafka.input.topic, kafka.input.dead_letter_topic, kafka.output.topic)
        yield from operation.check_broker(kafka.reader, [topic for topic in topics if topic])
    if settings.http.enabled:
        yield operation.check_http(partial(try_address, settings.http.host, settings.http.port))
    for name, model in settings.models.items():
        yield operation.check_model(name, partial(make_classifier, name, model))
