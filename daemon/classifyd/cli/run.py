"""`classifyd run`: the daemon itself."""

import re
from pathlib import Path
from typing import Annotated

import typer

from classifyd.cli.options import ConfigFile, Database, ModelUrl, database_url, overrides
from classifyd.core.errors import ConfigurationError

_ADDRESS = re.compile(r"(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<host>[^:\[\]]+)):(?P<port>\d+)")


def run(
    config: ConfigFile = None,
    inbox: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Classify what is dropped here.", show_default=False),
    ] = None,
    database: Database = None,
    http: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="Serve HTTP here.", show_default=False)
    ] = None,
    no_http: Annotated[bool, typer.Option("--no-http", help="Serve no HTTP.")] = False,
    bootstrap_servers: Annotated[
        str | None, typer.Option(metavar="HOST:PORT,…", help="Kafka's brokers.", show_default=False)
    ] = None,
    input_topic: Annotated[
        str | None, typer.Option(metavar="TOPIC", help="Classify what arrives here.", show_default=False)
    ] = None,
    output_topic: Annotated[
        str | None, typer.Option(metavar="TOPIC", help="Publish outcomes here.", show_default=False)
    ] = None,
    group_id: Annotated[
        str | None, typer.Option(metavar="GROUP", help="Kafka's consumer group.", show_default=False)
    ] = None,
    model_url: ModelUrl = None,
    once: Annotated[bool, typer.Option("--once", help="Work off what is there, then end.")] = False,
) -> None:
    """Classify what arrives, until stopped (SIGTERM or Ctrl-C; a second one ends at once)."""
    from classifyd.cli.running import run_daemon
    from classifyd.settings import load

    if http is not None and no_http:
        raise ConfigurationError("--http and --no-http: give one of them")
    host, port = _address(http)
    settings = load(
        config,
        overrides(
            {
                "inbox.path": inbox,
                "inbox.enabled": True if inbox else None,
                "database.url": database_url(database),
                "http.host": host,
                "http.port": port,
                "http.enabled": False if no_http else True if http else None,
                "kafka.bootstrap_servers": bootstrap_servers,
                "kafka.input.topic": input_topic,
                "kafka.output.topic": output_topic,
                "kafka.input.group_id": group_id,
            }
        ),
        model_url,
    )
    if (input_topic or output_topic) and not settings.kafka.enabled:
        raise ConfigurationError("a topic is given, but no broker: add --bootstrap-servers HOST:PORT")
    if settings.kafka.enabled and not (settings.kafka.input.topic or settings.kafka.output.topic):
        raise ConfigurationError(
            "kafka.bootstrap_servers is set, but no topic: set kafka.input.topic or kafka.output.topic"
        )
    raise typer.Exit(run_daemon(settings, once))


def _address(text: str | None) -> tuple[str | None, int | None]:
    if text is None:
        return None, None
    match = _ADDRESS.fullmatch(text)
    if match is None:
        raise ConfigurationError(f"--http {text}: write HOST:PORT, such as 127.0.0.1:5000 or [::1]:5000")
    return match["six"] or match["host"], int(match["port"])
