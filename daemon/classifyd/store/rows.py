"""Results and messages as rows, and back. A result read equals the one written, to the millisecond."""

import math
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

Values = dict[str, Any]


def row_of(result: Result) -> Values:
    """The values of a row of `results`. Raises UnstorableRow for what could not be read back."""
    origin = result.origin
    return {
        "id": result.id,
        "origin": origin.key,
        "source": origin.source.value,
        "name": origin.name,
        "path": origin.path,
        "stored_path": result.stored_path,
        "topic": origin.topic,
        "partition": origin.partition,
        "offset": origin.offset,
        "sha256": result.sha256,
        "size_bytes": result.size_bytes,
        "width": result.width,
        "height": result.height,
        "status": result.status.value,
        "model": result.model,
        **_row_of_outcome(result),
        "received_at": utc_text(result.received_at),
        "classified_at": utc_text(result.classified_at),
    }


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
    """The values of a row of `outbox`, less its position. Raises UnstorableRow for a header's name that is
    not text. Headers are JSON with their values encoded as `core.names` says."""
    headers = [[name, names.encode(value)] for name, value in message.headers]
    return {
        "result_id": result_id,
        "topic": message.topic,
        "key": message.key,
        "headers": _json(headers, f"the headers of the message for {message.topic}"),
        "value": message.value,
    }


def message_of(row: Row[Any]) -> Message:
    """The message that a row of `outbox` holds."""
    headers = tuple((name, names.decode(value)) for name, value in orjson.loads(row.headers))
    return Message(row.topic, row.key, headers, row.value)


def _row_of_outcome(result: Result) -> Values:
    match result.outcome:
        case Rejected(reason, detail):
            return {
                "model_version": None,
                "class_index": None,
                "label": None,
                "confidence": None,
                "top": None,
                "error_code": reason.value,
                "error_detail": detail,
            }
        case Prediction(top, _, model_version):
            if not all(math.isfinite(candidate.probability) for candidate in top):
                raise UnstorableRow(
                    f"{result.origin.key}: model {result.model!r} answered with a NaN or an infinity"
                )
            best = top[0]
            return {
                "model_version": model_version,
                "class_index": best.class_index,
                "label": best.label,
                "confidence": best.probability,
                "top": _json(top, f"{result.origin.key}: the answer of model {result.model!r}"),
                "error_code": None,
                "error_detail": None,
            }


def _outcome_of(row: Row[Any]) -> Outcome:
    if row.status == Status.REJECTED:
        return Rejected(Reason(row.error_code), row.error_detail)
    top = tuple(Candidate(**candidate) for candidate in orjson.loads(row.top))
    return Prediction(top, row.model, row.model_version)


def _json(values: object, what: str) -> str:
    try:
        return orjson.dumps(values).decode()
    except TypeError as error:
        raise UnstorableRow(f"{what} cannot be written as JSON: {error}") from error
