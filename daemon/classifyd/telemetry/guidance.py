"""What a person wants to know once the daemon runs, for the log."""

from dataclasses import dataclass
from typing import ClassVar

from classifyd.telemetry.events import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class Hint(Event):
    """Said once, at the start, where nobody looks at a terminal."""

    message: ClassVar[str] = "hint"
    hint: str
