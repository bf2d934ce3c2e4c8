"""What the engines tell."""

from dataclasses import dataclass
from typing import ClassVar

from classifyd.telemetry.events import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelVersionPinned(Event):
    """Requests go to this version of a served model from now on; `previous` is None at first."""

    message: ClassVar[str] = "model version pinned"
    model: str
    version: int
    previous: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BundledModelUsed(Event):
    """The daemon runs with the small model that comes with it; `remedy` is the command for a larger one."""

    message: ClassVar[str] = "the bundled model knows only few classes"
    model: str
    classes: int
    remedy: str
