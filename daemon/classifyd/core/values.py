"""The values that flow: pictures, outcomes, results and messages. All frozen, all safe to share."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, StrEnum


class Source(StrEnum):
    """Where pictures come from."""

    FOLDER = "folder"
    KAFKA = "kafka"
    HTTP = "http"


class Status(StrEnum):
    """How a picture ended."""

    CLASSIFIED = "classified"
    REJECTED = "rejected"


class Reason(StrEnum):
    """Why a picture is rejected: the values of `results.error_code`."""

    EMPTY = "empty"
    NOT_A_JPEG = "not_a_jpeg"
    TRUNCATED = "truncated"
    TOO_LARGE = "too_large"
    TOO_COMPLEX = "too_complex"
    REFUSED_BY_MODEL = "refused_by_model"
    MODEL_FAILED = "model_failed"
    UNDECODABLE = "undecodable"
    NOT_AN_EVENT = "not_an_event"
    NOT_RECORDABLE = "not_recordable"


class Lane(StrEnum):
    """The two lanes of an intake."""

    INTERACTIVE = "interactive"
    BULK = "bulk"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a picture came from. `key` is unique and stable across redelivery; all text is encoded as
    `core.names` says, so that it can stand in a database, a header and a log line.

    `name` is the file's name or the Kafka key, `path` the path relative to the inbox (folder only),
    `topic`, `partition` and `offset` the record's (Kafka only).
    """

    source: Source
    key: str
    name: str | None = None
    path: str | None = None
    topic: str | None = None
    partition: int | None = None
    offset: int | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """A Kafka record as it was consumed: what a dead letter repeats."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...] = ()


@dataclass(frozen=True, slots=True)
class Image:
    """Encoded bytes with what the gate found in them.

    `data` is empty and `sha256` None where the picture was refused before it was read (over a limit).
    `width` and `height` are in pixels, None where the gate found no frame. `received_at` is aware, UTC.
    """

    origin: Origin
    data: bytes = field(repr=False)
    sha256: str | None
    size_bytes: int
    width: int | None
    height: int | None
    received_at: datetime
    traceparent: str | None = None
    record: Record | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Candidate:
    """One of a prediction's best classes; `probability` in 0..1."""

    class_index: int
    label: str
    probability: float


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a model says of one picture. `top` is never empty: best first, its head is the answer."""

    top: tuple[Candidate, ...]
    model: str
    model_version: str

    @property
    def best(self) -> Candidate:
        return self.top[0]


@dataclass(frozen=True, slots=True)
class Rejected:
    """Evidence against a picture: a reason code and one sentence for a person."""

    reason: Reason
    detail: str


Outcome = Prediction | Rejected


@dataclass(frozen=True, slots=True)
class Result:
    """An outcome with the identity under which it is recorded: one row of `results`.

    `id` is a ULID. `stored_path` is where the source will have put the file, or None.
    `model` is the configured name of the model that was, or would have been, asked.
    """

    id: str
    origin: Origin
    outcome: Outcome
    model: str
    sha256: str | None
    size_bytes: int
    width: int | None
    height: int | None
    received_at: datetime
    classified_at: datetime
    stored_path: str | None = None

    @property
    def status(self) -> Status:
        return Status.REJECTED if isinstance(self.outcome, Rejected) else Status.CLASSIFIED


@dataclass(frozen=True, slots=True)
class Message:
    """A message for a topic, as the outbox keeps it."""

    topic: str
    key: bytes | None
    headers: tuple[tuple[str, bytes], ...]
    value: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Pending:
    """A message of the outbox that waits to be published. Positions rise in the order of recording."""

    position: int
    message: Message


class Disposition(Enum):
    """What a source is told of a delivery."""

    DONE = "done"
    """The outcome is committed."""
    REJECTED = "rejected"
    """The outcome is committed; the picture is to be set aside."""
    RETRY = "retry"
    """Nothing is committed: offer it again, under the same key."""


@dataclass(frozen=True, slots=True)
class Settlement:
    """How a delivery ended. `result` is the recorded one (of an earlier delivery of the same origin, if
    there was one); None on RETRY, where `detail` says why."""

    disposition: Disposition
    result: Result | None = None
    detail: str = ""

    @classmethod
    def of(cls, result: Result) -> "Settlement":
        """The settlement that a recorded result asks for."""
        rejected = result.status is Status.REJECTED
        return cls(Disposition.REJECTED if rejected else Disposition.DONE, result)

    @classmethod
    def retry(cls, detail: str) -> "Settlement":
        return cls(Disposition.RETRY, None, detail)


RECORDS_ALL: frozenset[Status] = frozenset(Status)


def _nowhere(_result: Result) -> str | None:
    return None


@dataclass(frozen=True, slots=True, eq=False)
class Delivery:
    """An image under way.

    `settle` is called exactly once, from any thread; it never blocks, raises or does I/O.
    `refusal` is the gate's verdict; a refused delivery goes to the recorder without being classified.
    `records` names the statuses that become a row, `publish` whether a row is also published.
    `place` tells, before the commit, where the source will have put the picture (`Result.stored_path`).
    """

    image: Image
    settle: Callable[[Settlement], None]
    refusal: Rejected | None = None
    records: frozenset[Status] = RECORDS_ALL
    publish: bool = True
    place: Callable[[Result], str | None] = _nowhere


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """What a model says of itself: `labels` by class index, `version` as text."""

    name: str
    engine: str
    version: str
    labels: tuple[str, ...]
    details: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Filter:
    """Which results are wanted; None means any. `since` (inclusive) and `until` (exclusive) bound
    `classified_at` and are aware."""

    label: str | None = None
    status: Status | None = None
    source: Source | None = None
    name: str | None = None
    sha256: str | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class PartState:
    """The health of one part. `detail` says why it is down and what to do, `since` when that began."""

    up: bool
    detail: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Progress:
    """The daemon at one glance, in pictures: waiting for credit (files seen, records of lag), under way,
    and done or rejected since the start."""

    waiting: int
    in_flight: int
    done: int
    rejected: int
