"""What the tests of the pipeline put in the place of adapters."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from classifyd.core.control import CONTROL
from classifyd.core.errors import ClassifierError
from classifyd.core.values import (
    RECORDS_ALL,
    Candidate,
    Delivery,
    Image,
    Message,
    ModelInfo,
    Origin,
    Pending,
    Prediction,
    Rejected,
    Result,
    Settlement,
    Source,
    Status,
)

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
PREDICTION = Prediction((Candidate(3, "cat", 0.9),), "resnet", "1")
BOUND = 10.0
"""Seconds that a test waits at most for what must happen."""


def image(name: str = "a.jpg", size: int = 100, source: Source = Source.FOLDER) -> Image:
    origin = Origin(source, key=f"test:{name}", name=name)
    return Image(origin, b"x" * size, "0" * 64, size, 8, 8, NOW)


@dataclass
class Settlements:
    """Takes settlements and lets a test wait for them."""

    taken: dict[str, Settlement] = field(default_factory=dict)
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def delivery(
        self,
        name: str = "a.jpg",
        size: int = 100,
        refusal: Rejected | None = None,
        records: frozenset[Status] = RECORDS_ALL,
        place: Callable[[Result], str | None] = lambda _result: None,
        source: Source = Source.FOLDER,
    ) -> Delivery:
        return Delivery(
            image(name, size, source),
            lambda s: self._take(name, s),
            refusal=refusal,
            records=records,
            place=place,
        )

    def _take(self, name: str, settlement: Settlement) -> None:
        with self._changed:
            assert name not in self.taken, f"{name} was settled twice"
            self.taken[name] = settlement
            self._changed.notify_all()

    def wait(self, *names: str) -> list[Settlement]:
        with self._changed:
            assert self._changed.wait_for(lambda: set(names) <= self.taken.keys(), BOUND), self.taken
            return [self.taken[name] for name in names]


class RecordingPart:
    def __init__(self) -> None:
        self.state: tuple[bool, str] = (False, "")
        self.changed = threading.Condition()

    def up(self, detail: str = "") -> None:
        self._set(True, detail)

    def down(self, reason: str) -> None:
        self._set(False, reason)

    def _set(self, up: bool, detail: str) -> None:
        with self.changed:
            self.state = (up, detail)
            self.changed.notify_all()

    def wait(self, up: bool) -> str:
        with self.changed:
            assert self.changed.wait_for(lambda: self.state[0] is up, BOUND)
            return self.state[1]


Answer = Prediction | Rejected | ClassifierError


class FakeClassifier:
    """Answers as `answer(image)` says; an error raised there concerns the whole batch.

    `calls` holds the names of each batch; the control picture is accepted while `accepts_control`."""

    name = "resnet"

    def __init__(self, answer: Callable[[Image], Answer] = lambda _image: PREDICTION) -> None:
        self.answer = answer
        self.version = "1"
        self.control: Answer | None = None
        self.probe_error: Exception | None = None
        self.calls: list[list[str]] = []
        self.closed = False

    def classify(self, images: Sequence[Image]) -> list[Answer]:
        if list(images) == [CONTROL]:
            if isinstance(self.control, ClassifierError):
                raise self.control
            return [self.control or PREDICTION]
        self.calls.append([str(image.origin.name) for image in images])
        return [self.answer(image) for image in images]

    def probe(self) -> ModelInfo:
        if self.probe_error is not None:
            raise self.probe_error
        return ModelInfo("resnet", "onnx", self.version, ("cat", "dog"))

    def close(self) -> None:
        self.closed = True


class FakeStore:
    """Keeps rows by origin, as the port says; `errors` are raised by the next writes, `poison` refused."""

    def __init__(self) -> None:
        self.rows: dict[str, Result] = {}
        self.messages: list[Message] = []
        self.published: list[int] = []
        self.transactions: list[int] = []
        self.errors: list[Exception] = []
        self.poison: Callable[[Result], Exception | None] = lambda _result: None
        self.pruned: list[datetime] = []
        self.prunable = 0

    def write(
        self, entries: Sequence[tuple[Result, Sequence[Message]]], published: Sequence[int]
    ) -> list[Result]:
        if self.errors:
            raise self.errors.pop(0)
        for result, _messages in entries:
            if (error := self.poison(result)) is not None:
                raise error
        self.transactions.append(len(entries))
        self.published.extend(published)
        for result, messages in entries:
            if result.origin.key not in self.rows:
                self.messages.extend(messages)
            self.rows.setdefault(result.origin.key, result)
        return [self.rows[result.origin.key] for result, _messages in entries]

    def prune_outbox(self, before: datetime, limit: int) -> int:
        self.pruned.append(before)
        deleted = min(self.prunable, limit)
        self.prunable -= deleted
        return deleted


class FakeOutbox:
    def __init__(self, messages: Sequence[Message] = ()) -> None:
        self.waiting = [Pending(position, message) for position, message in enumerate(messages, 1)]
        self.errors: list[Exception] = []

    def pending(self, after: dict[str, int], exclude: Sequence[str], max_bytes: int) -> list[Pending]:
        if self.errors:
            raise self.errors.pop(0)
        return [
            pending
            for pending in self.waiting
            if pending.message.topic not in exclude and pending.position > after.get(pending.message.topic, 0)
        ][:3]

    def count(self) -> int:
        return len(self.waiting)

    def mark(self, positions: Sequence[int]) -> None:
        self.waiting = [pending for pending in self.waiting if pending.position not in positions]
