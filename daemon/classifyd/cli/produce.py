"""`classifyd produce`: JPEG files into a Kafka topic."""

from pathlib import Path
from typing import Annotated

import typer

from classifyd.cli.options import ConfigFile, overrides
from classifyd.core.errors import ConfigurationError
from classifyd.core.names import encode_path


def produce(
    files: Annotated[list[Path], typer.Argument(metavar="FILE…", help="JPEG files.", show_default=False)],
    topic: Annotated[
        str | None, typer.Option("--topic", metavar="TOPIC", help="Into this topic [kafka.input.topic].")
    ] = None,
    servers: Annotated[
        str | None,
        typer.Option(
            "--bootstrap-servers", metavar="HOST:PORT,…", help="Kafka's brokers.", show_default=False
        ),
    ] = None,
    config: ConfigFile = None,
) -> None:
    """Put JPEGs into a Kafka topic, each as one record with the file's name as its key.

    Ends with code 1 when a file did not get there.
    """
    from rich.console import Console
    from rich.progress import track

    from classifyd.operations.produce import produce as produce_files
    from classifyd.publish.kafka import PublisherConfig, Sender
    from classifyd.settings import load

    kafka = load(config, overrides({"kafka.bootstrap_servers": servers})).kafka
    wanted = topic or kafka.input.topic
    if not kafka.enabled:
        raise ConfigurationError("there is no broker: set kafka.bootstrap_servers or --bootstrap-servers")
    if wanted is None:
        raise ConfigurationError("there is no topic: set kafka.input.topic or --topic")
    console = Console(stderr=True, soft_wrap=True)
    problems = 0
    with Sender(PublisherConfig(kafka.connection, kafka.producer)) as sender:
        produced = produce_files(files, wanted, sender)
        for one in track(produced, f"Producing to {wanted}", len(files), console=console, transient=True):
            if one.problem is not None:
                problems += 1
                console.print(f"{encode_path(one.path)}: {one.problem}", markup=False, highlight=False)
    typer.echo(f"{len(files) - problems} of {len(files)} files are in topic {wanted}")
    raise typer.Exit(1 if problems else 0)
