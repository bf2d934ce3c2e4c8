"""`classifyd requeue`: what was rejected is to be classified again."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from classifyd.cli.options import ConfigFile
from classifyd.core.errors import ConfigurationError
from classifyd.core.names import encode_path

if TYPE_CHECKING:
    from classifyd.settings import Settings


def requeue(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[PATH…]",
            help="Files or folders below the folder of failed pictures; all of them if none is given.",
            show_default=False,
        ),
    ] = None,
    dead_letters: Annotated[
        bool, typer.Option("--dead-letters", help="Kafka's dead letters instead of files.")
    ] = False,
    config: ConfigFile = None,
) -> None:
    """Put failed files back into the inbox, or dead letters back into their Kafka topic.

    A dead letter that was put back is not put back by another run, unless this one was killed or the broker
    went away meanwhile. Ends with code 1 when something stayed.
    """
    from classifyd.settings import load

    if paths and dead_letters:
        raise ConfigurationError("paths and --dead-letters: give one of them")
    settings = load(config, {})
    done, stayed = _letters(settings) if dead_letters else _files(settings, tuple(paths or ()))
    typer.echo(f"{done} put back, {stayed} left")
    raise typer.Exit(1 if stayed else 0)


def _files(settings: "Settings", chosen: tuple[Path, ...]) -> tuple[int, int]:
    from classifyd.operations.requeue_files import NotRequeued, requeue_files

    done = stayed = 0
    for one in requeue_files(settings.inbox.failed, settings.inbox.path, chosen):
        if isinstance(one, NotRequeued):
            stayed += 1
            typer.echo(f"{encode_path(one.source)}: {one.problem}", err=True)
        else:
            done += 1
    return done, stayed


def _letters(settings: "Settings") -> tuple[int, int]:
    from classifyd.operations.requeue_letters import requeue_letters
    from classifyd.publish.kafka import PublisherConfig, Sender, open_letters

    kafka = settings.kafka
    topic = kafka.input.dead_letter_topic
    if not kafka.enabled or topic is None:
        raise ConfigurationError(
            "there are no dead letters: set kafka.bootstrap_servers and kafka.input.topic"
        )
    done = stayed = 0
    with (
        open_letters(kafka.reader, topic, f"{kafka.input.group_id}.requeue") as letters,
        Sender(PublisherConfig(kafka.connection, kafka.producer)) as sender,
    ):
        for one in requeue_letters(letters, sender):
            if one.problem is None:
                done += 1
            else:
                stayed += 1
                place = f"{one.letter.topic}/{one.letter.partition}/{one.letter.offset}"
                typer.echo(f"dead letter {place}: {one.problem}", err=True)
    return done, stayed
