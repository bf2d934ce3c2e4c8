"""The log: one pipeline for our events and for the libraries' own lines. Times UTC, RFC 3339."""

import logging
import sys
from typing import IO, Literal

import structlog

from classifyd.core.names import printable

Format = Literal["auto", "console", "json"]

_LIBRARY_LEVELS = {
    "kafka": logging.WARNING,
    # Repeated at every try while a broker or a topic is missing; the parts tell it once.
    "kafka.cluster": logging.CRITICAL,
    "kafka.coordinator": logging.CRITICAL,
    "kafka.net": logging.CRITICAL,
    "watchdog": logging.ERROR,  # the folder source tells of lost events itself
    "alembic": logging.WARNING,
    "uvicorn": logging.ERROR,  # its warnings are of what clients send, who could fill the log with them
    "uvicorn.access": logging.CRITICAL,
    "urllib3": logging.ERROR,
}


def configure(level: str, form: Format, stream: IO[str] | None = None) -> None:
    """Sets up logging for the process.

    `level` is one of debug, info, warning, error; `form` auto means lines for people on a terminal and
    JSON otherwise; `stream` is standard error by default.
    """
    target = stream or sys.stderr
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    as_json = form == "json" or (form == "auto" and not target.isatty())
    rendering: list[structlog.typing.Processor] = (
        [structlog.processors.JSONRenderer()]
        if as_json
        else [_on_one_line, structlog.dev.ConsoleRenderer(colors=target.isatty())]
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(target)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _head_first, *rendering],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for name, library_level in _LIBRARY_LEVELS.items():
        logging.getLogger(name).setLevel(max(library_level, root.level))
    logging.captureWarnings(True)


def _head_first(
    _logger: object, _method: str, line: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """Puts what every line has before what only some have, for who reads JSON with the bare eye."""
    head = {key: line.pop(key) for key in ("timestamp", "level", "event") if key in line}
    return {**head, **line}


def _on_one_line(
    _logger: object, _method: str, line: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """Keeps what others wrote from making lines of its own; JSON does so by itself. Tracebacks have many."""
    return {
        key: printable(value) if isinstance(value, str) and key != "exception" else value
        for key, value in line.items()
    }
