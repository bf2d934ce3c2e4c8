"""Events of the pipeline."""

import logging
from dataclasses import dataclass
from functools import cache
from typing import ClassVar

from prometheus_client import Counter

from classifyd.telemetry import metrics
from classifyd.telemetry.events import Event

_TOTAL = metrics.stage_duration.labels("total")


@cache
def _classified(source: str, model: str) -> Counter:
    """Kept, for it is wanted with every picture; there are as many as sources and configured models."""
    return metrics.pictures.labels(source, model, "classified", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class PartUp(Event):
    message: ClassVar[str] = "part is up"
    part: str
    detail: str | None = None

    def measure(self) -> None:
        metrics.part_up.labels(self.part).set(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class PartDown(Event):
    level: ClassVar[int] = logging.WARNING
    message: ClassVar[str] = "part is down"
    part: str
    reason: str

    def measure(self) -> None:
        metrics.part_up.labels(self.part).set(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class PartDied(Event):
    """The last line of a daemon that a part of its own has stopped."""

    level: ClassVar[int] = logging.CRITICAL
    message: ClassVar[str] = "a part died; the daemon stops"
    part: str
    reason: str
    traceback: str

    def measure(self) -> None:
        metrics.part_up.labels(self.part).set(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureClassified(Event):
    level: ClassVar[int] = logging.DEBUG
    message: ClassVar[str] = "picture classified"
    id: str
    origin: str
    source: str
    model: str
    label: str
    seconds: float

    def measure(self) -> None:
        _classified(self.source, self.model).inc()
        _TOTAL.observe(self.seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureRejected(Event):
    """A picture is rejected for what it is."""

    level: ClassVar[int] = logging.WARNING
    message: ClassVar[str] = "picture rejected"
    id: str
    origin: str
    source: str
    model: str
    reason: str
    detail: str

    def measure(self) -> None:
        metrics.pictures.labels(self.source, self.model, "rejected", self.reason).inc()


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectionsGrouped(Event):
    level: ClassVar[int] = logging.WARNING
    message: ClassVar[str] = "more pictures were rejected in the last minute than are named one by one"
    reason: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureSuspected(Event):
    level: ClassVar[int] = logging.WARNING
    message: ClassVar[str] = "the model fails on one picture alone; it will be tried again"
    model: str
    origin: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureSetAside(Event):
    message: ClassVar[str] = "the model went away over one picture alone; others go first when it is back"
    model: str
    origin: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchLowered(Event):
    level: ClassVar[int] = logging.WARNING
    message: ClassVar[str] = "the model refuses larger batches; set max_batch to this to avoid the detour"
    model: str
    max_batch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LetterReduced(Event):
    level: ClassVar[int] = logging.WARNING
    message: ClassVar[str] = "a dead letter is over the broker's limit and went without what its headers name"
    topic: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DaemonStarted(Event):
    message: ClassVar[str] = "started"
    version: str
    instance: str

    def measure(self) -> None:
        metrics.build_info.labels(self.version).set(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class DaemonStopping(Event):
    message: ClassVar[str] = "stopping; what is not finished is taken up again at the next start"
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunGivenUp(Event):
    """A single run ends before everything is handled; `reason` is what the parts say that are down."""

    level: ClassVar[int] = logging.WARNING
    message: ClassVar[str] = (
        "no picture was finished for once_timeout; the run ends, the next takes up the rest"
    )
    seconds: float
    in_flight: int
    waiting: int
    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DaemonStopped(Event):
    message: ClassVar[str] = "stopped"
    done: int
    rejected: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary(Event):
    message: ClassVar[str] = "the last minute"
    done: int
    rejected: int
    in_flight: int
    waiting: int
