"""Runs the daemon for a person at a terminal, or for a log."""

import os
import sys

import typer
from rich.console import Console

from classifyd.bootstrap import Daemon, Interior
from classifyd.cli.display import Display
from classifyd.cli.guidance import guidance
from classifyd.http import HttpServer
from classifyd.http.service import make_service
from classifyd.settings import Settings
from classifyd.telemetry import emit, logs
from classifyd.telemetry.guidance import Hint


def run_daemon(settings: Settings, once: bool) -> int:
    """Runs until stopped, or with `once` until what is there is worked off. Returns the exit code.

    Raises ConfigurationError for whatever forbids the start.
    """
    console = Console(stderr=True, highlight=False)
    interactive = console.is_terminal and not console.is_dumb_terminal
    if interactive and settings.log.format != "json":
        daemon, code = _on_terminal(settings, once, console)
    else:
        daemon, code = _in_background(settings, once)
    if daemon.left_running:
        _leave(code)
    return code


def _leave(code: int) -> None:
    """Ends the process without ending the interpreter first, which threads that are at work in a library do
    not survive: uvloop's was a segmentation fault."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _on_terminal(settings: Settings, once: bool, console: Console) -> tuple[Daemon, int]:
    with Display(console, bar=once) as display:
        logs.configure(settings.log.level, settings.log.format, display.stream)
        daemon, hints = _start(settings, once)
        for hint in hints:
            console.print(hint, markup=False, soft_wrap=True)
        code = daemon.run(display.show)
    if once:
        console.print("\n".join(daemon.summary()), markup=False, soft_wrap=True)
    return daemon, code


def _in_background(settings: Settings, once: bool) -> tuple[Daemon, int]:
    logs.configure(settings.log.level, settings.log.format)
    daemon, hints = _start(settings, once)
    for hint in hints:
        emit(Hint(hint=hint))
    code = daemon.run(None)
    if once:
        typer.echo("\n".join(daemon.summary()))
    return daemon, code


def _start(settings: Settings, once: bool) -> tuple[Daemon, list[str]]:
    """The daemon, which serves HTTP unless it works off once, and what a person wants to know of it."""
    urls: list[str] = []

    def serve(interior: Interior) -> HttpServer:
        server = make_service(settings, interior)
        urls.append(server.url)
        return server

    daemon = Daemon(settings, once, serve if settings.http.enabled and not once else None)
    return daemon, list(guidance(settings, next(iter(urls), None)))
