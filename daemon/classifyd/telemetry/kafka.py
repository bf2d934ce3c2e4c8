"""Events of the Kafka source and of what is published."""

import logging
from dataclasses import dataclass
from typing import ClassVar

from classifyd.telemetry import metrics
from classifyd.telemetry.events import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionsAssigned(Event):
    """The group gave this consumer its partitions."""

    message: ClassVar[str] = "Kafka partitions assigned"

    topic: str
    partitions: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionsLost(Event):
    """The group took partitions away before they could be committed: their records come again."""

    level: ClassVar[int] = logging.WARNING
    message: ClassVar[str] = "Kafka partitions lost; what was under way is delivered again elsewhere"

    topic: str
    partitions: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitFailed(Event):
    """Offsets could not be committed; the next commit covers them."""

    level: ClassVar[int] = logging.WARNING
    message: ClassVar[str] = "Kafka offsets not committed now; tried again with the next ones"

    topic: str
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OffsetReset(Event):
    """A partition starts again at its earliest record."""

    level: ClassVar[int] = logging.WARNING
    message: ClassVar[str] = "Kafka partition starts again at its earliest record"

    topic: str
    partition: int
    reason: str

    def measure(self) -> None:
        metrics.kafka_resets.labels(self.topic).inc()


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordsSkipped(Event):
    """Records without a value (tombstones) hold no picture."""

    level: ClassVar[int] = logging.DEBUG
    message: ClassVar[str] = "Kafka records without a value skipped"

    topic: str
    partition: int
    count: int

    def measure(self) -> None:
        metrics.kafka_skipped.labels(self.topic).inc(self.count)
