"""`classifyd run`: the daemon itself."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from classifyd.cli.options import ConfigFile, Database, ModelUrl, database_url, overrides
from classifyd.core.errors import ConfigurationError

if TYPE_CHECKING:
    from rich.console import Console

    from classifyd.bootstrap import Daemon, Interior
    from classifyd.http import HttpServer
    from classifyd.settings import Settings

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
    raise typer.Exit(_run(settings, once))


def _run(settings: "Settings", once: bool) -> int:
    from rich.console import Console

    console = Console(stderr=True, highlight=False)
    interactive = console.is_terminal and not console.is_dumb_terminal
    if interactive and settings.log.format != "json":
        return _on_terminal(settings, once, console)
    return _in_background(settings, once)


def _on_terminal(settings: "Settings", once: bool, console: "Console") -> int:
    from classifyd.cli.display import Display
    from classifyd.telemetry import logs

    with Display(console, bar=once) as display:
        logs.configure(settings.log.level, settings.log.format, display.stream)
        daemon, hints = _start(settings, once)
        for hint in hints:
            console.print(hint, markup=False, soft_wrap=True)
        code = daemon.run(display.show)
    if once:
        console.print("\n".join(daemon.summary()), markup=False, soft_wrap=True)
    return code


def _in_background(settings: "Settings", once: bool) -> int:
    from classifyd.telemetry import emit, logs
    from classifyd.telemetry.guidance import Hint

    logs.configure(settings.log.level, settings.log.format)
    daemon, hints = _start(settings, once)
    for hint in hints:
        emit(Hint(hint=hint))
    code = daemon.run(None)
    if once:
        typer.echo("\n".join(daemon.summary()))
    return code


def _start(settings: "Settings", once: bool) -> "tuple[Daemon, list[str]]":
    """The daemon, which serves HTTP unless it works off once, and what a person wants to know of it."""
    from classifyd.bootstrap import Daemon
    from classifyd.cli.guidance import guidance
    from classifyd.http.service import make_service

    urls: list[str] = []

    def serve(interior: "Interior") -> "HttpServer":
        server = make_service(settings, interior)
        urls.append(server.url)
        return server

    daemon = Daemon(settings, once, serve if settings.http.enabled and not once else None)
    return daemon, list(guidance(settings, next(iter(urls), None)))


def _address(text: str | None) -> tuple[str | None, int | None]:
    if text is None:
        return None, None
    match = _ADDRESS.fullmatch(text)
    if match is None:
        raise ConfigurationError(f"--http {text}: write HOST:PORT, such as 127.0.0.1:5000 or [::1]:5000")
    return match["six"] or match["host"], int(match["port"])
