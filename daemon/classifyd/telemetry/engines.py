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
