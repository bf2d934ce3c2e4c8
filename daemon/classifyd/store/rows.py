"""Results and messages as rows, and back. A result read equals the one written, to the millisecond."""

from math import isfinite
from typing import Any

import orjson
from sqlalchemy import Row

from classifyd.core import names
from classifyd.core.errors import UnstorableRow
from classifyd.core.times import utc_moment, utc_text
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
    Status,
)

Values = tuple[Any, ...]
"""In the order of the table's columns: they go to the database as they are, at hundreds of thousands a
minute."""

_CLASSIFIED, _REJECTED = Status.CLASSIFIED.value, Status.REJECTED.value

OUTBOX_COLUMNS = ("result_id", "topic", "key", "headers", "value")
"""What `row_of_message` gives; the rest the database fills in."""


def row_of(result: Result) -> Values:
    """The row of `results`. Raises UnstorableRow for what could not be read back."""
    origin, outcome = result.origin, result.outcome
    if isinstance(outcome, Rejected):
        status = _REJECTED
        answer: Values = (None, None, None, None, None, outcome.reason.value, outcome.detail)
    else:
        status = _CLASSIFIED
        answer = _answer_of(outcome, result)
    return (
        result.id,
        origin.key,
        str(origin.source),
        origin.name,
        origin.path,
        result.stored_path,
        origin.topic,
        origin.partition,
        origin.offset,
        result.sha256,
        result.size_bytes,
        result.width,
        result.height,
        status,
        result.model,
        *answer,
        utc_text(result.received_at),
        utc_text(result.classified_at),
    )


def result_of(row: Row[Any]) -> Result:
    """The result that a row of `results` holds."""
    return Result(
        id=row.id,
        origin=Origin(
            source=Source(row.source),
            key=row.origin,
            name=row.name,
            path=row.path,
            topic=row.topic,
            partition=row.partition,
            offset=row.offset,
        ),
        outcome=_outcome_of(row),
        model=row.model,
        sha256=row.sha256,
        size_bytes=row.size_bytes,
        width=row.width,
        height=row.height,
        received_at=utc_moment(row.received_at),
        classified_at=utc_moment(row.classified_at),
        stored_path=row.stored_path,
    )


def row_of_message(result_id: str, message: Message) -> Values:
    """The row of `outbox`, as far as `OUTBOX_COLUMNS`. Raises UnstorableRow for a header's name that is
    not text. Headers are JSON with their values encoded as `core.names` says."""
    headers = [(name, names.encode(value)) for name, value in message.headers]
    return (
        result_id,
        message.topic,
        message.key,
        _json(headers, "the headers for", message.topic),
        message.value,
    )


def message_of(row: Row[Any]) -> Message:
    """The message that a row of `outbox` holds."""
    headers = tuple((name, names.decode(value)) for name, value in orjson.loads(row.headers))
    return Message(row.topic, row.key, headers, row.value)


def _answer_of(prediction: Prediction, result: Result) -> Values:
    top = prediction.top
    for candidate in top:
        if not isfinite(candidate.probability):
            raise UnstorableRow(
                f"{result.origin.key}: model {result.model!r} answered with a NaN or an infinity"
            )
    best = top[0]
    return (
        prediction.model_version,
        best.class_index,
        best.label,
        best.probability,
        _json(top, "the answer to", result.origin.key),
        None,
        None,
    )


def _outcome_of(row: Row[Any]) -> Outcome:
    if row.status == Status.REJECTED:
        return Rejected(Reason(row.error_code), row.error_detail)
    top = tuple(Candidate(**candidate) for candidate in orjson.loads(row.top))
    return Prediction(top, row.model, row.model_version)


def _json(values: object, what: str, owner: str) -> str:
    try:
        return orjson.dumps(values).decode()
    except TypeError as error:
        raise UnstorableRow(f"{what} {owner} cannot be written as JSON: {error}") from error
