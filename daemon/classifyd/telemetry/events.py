"""The base of all events."""

import logging
from dataclasses import dataclass, fields
from typing import ClassVar

import structlog

_logger = logging.getLogger("classifyd")
_log = structlog.stdlib.get_logger("classifyd")


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened. Its fields become the log line's, its `measure` moves the metrics.

    A subclass is a frozen keyword-only dataclass; `message` is one plain clause without values, `level`
    one of logging's levels. No label of a metric holds a file name.
    """

    level: ClassVar[int] = logging.INFO
    message: ClassVar[str]

    def measure(self) -> None:
        """Moves the metrics that this event concerns; nothing by default."""


def emit(event: Event) -> None:
    """Logs and measures an event. Safe from any thread; never raises for what the event holds."""
    event.measure()
    if _logger.isEnabledFor(event.level):
        values = {field.name: getattr(event, field.name) for field in fields(event)}
        _log.log(
            event.level, event.message, **{name: value for name, value in values.items() if value is not None}
        )
