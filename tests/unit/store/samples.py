"""Results, messages and databases for the tests of the database."""

from datetime import UTC, datetime, timedelta

from ulid import ULID

from classifyd.core.values import (
    Candidate,
    Message,
    Origin,
    Outcome,
    Prediction,
    Reason,
    Rejected,
    Result,
    Source,
)

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
CAT = Prediction((Candidate(3, "cat", 0.75), Candidate(5, "dog", 0.25)), "resnet", "1")
DOG = Prediction((Candidate(5, "dog", 1.0),), "resnet", "1")
TORN = Rejected(Reason.TRUNCATED, "the end is missing")


def result(
    key: str,
    outcome: Outcome = CAT,
    *,
    number: int = 0,
    at: datetime = NOON,
    sha256: str | None = "0" * 64,
    stored_path: str | None = None,
    size_bytes: int = 1000,
) -> Result:
    """A result of the folder; results of rising `number` have rising ids."""
    return Result(
        id=str(ULID.from_timestamp(NOON.timestamp() + number)),
        origin=Origin(Source.FOLDER, f"folder:{key}", name=key, path=f"album/{key}"),
        outcome=outcome,
        model="resnet",
        sha256=sha256,
        size_bytes=size_bytes,
        width=387,
        height=302,
        received_at=at - timedelta(seconds=1),
        classified_at=at,
        stored_path=stored_path,
    )


def message(value: bytes = b"{}", topic: str = "results") -> Message:
    return Message(topic, b"key", (("content-type", b"application/json"),), value)


class Clock:
    """A clock that stands at `now` until it is set."""

    def __init__(self, now: datetime = NOON) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now
