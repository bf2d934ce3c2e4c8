"""A result as a JSON document: the value of an outcome message. Every key is always there; what does not
apply is null. `docs/result.schema.json` is `schema_text()`."""

from typing import Annotated, Any, Literal

import orjson
from pydantic import Field, TypeAdapter, with_config
from typing_extensions import TypedDict

from classifyd.core.times import utc_text
from classifyd.core.values import Reason, Rejected, Result, Source

Time = Annotated[
    str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$", description="UTC, to the millisecond")
]
Ulid = Annotated[str, Field(pattern="^[0-9A-HJKMNP-TV-Z]{26}$")]
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Probability = Annotated[float, Field(ge=0, le=1)]
Natural = Annotated[int, Field(ge=0)]


@with_config(title="Candidate", extra="forbid")
class CandidateDocument(TypedDict):
    """One of the best classes."""

    class_index: Natural
    label: str
    probability: Probability


class _ResultDocument(TypedDict):
    id: Ulid
    origin: Annotated[str, Field(description="Unique, and the same whenever the picture is delivered again")]
    source: Source
    name: Annotated[str | None, Field(description="The file's name or the Kafka record's key")]
    path: Annotated[str | None, Field(description="Relative to the inbox; folder only")]
    stored_path: Annotated[str | None, Field(description="Where the file was put; folder only")]
    topic: str | None
    partition: Natural | None
    offset: Natural | None
    sha256: Sha256 | None
    size_bytes: Natural
    width: Annotated[int | None, Field(description="Pixels")]
    height: Annotated[int | None, Field(description="Pixels")]
    model: str
    received_at: Time
    classified_at: Time


@with_config(title="Classified", extra="forbid")
class ClassifiedDocument(_ResultDocument):
    """A picture that the model answered."""

    status: Literal["classified"]
    model_version: str
    class_index: Natural
    label: str
    confidence: Probability
    top: Annotated[list[CandidateDocument], Field(min_length=1, description="Best first")]
    error_code: None
    error_detail: None


@with_config(title="Rejected", extra="forbid")
class RejectedDocument(_ResultDocument):
    """A picture that was rejected for what it is."""

    status: Literal["rejected"]
    model_version: None
    class_index: None
    label: None
    confidence: None
    top: None
    error_code: Reason
    error_detail: str


ResultDocument = Annotated[ClassifiedDocument | RejectedDocument, Field(discriminator="status")]


def document(result: Result) -> ClassifiedDocument | RejectedDocument:
    """The document of a result, ready for a JSON encoder."""
    outcome = result.outcome
    if isinstance(outcome, Rejected):
        return {
            **_common(result),
            "status": "rejected",
            "model_version": None,
            "class_index": None,
            "label": None,
            "confidence": None,
            "top": None,
            "error_code": outcome.reason,
            "error_detail": outcome.detail,
        }
    best = outcome.best
    return {
        **_common(result),
        "status": "classified",
        "model_version": outcome.model_version,
        "class_index": best.class_index,
        "label": best.label,
        "confidence": best.probability,
        "top": [
            {"class_index": one.class_index, "label": one.label, "probability": one.probability}
            for one in outcome.top
        ],
        "error_code": None,
        "error_detail": None,
    }


def _common(result: Result) -> _ResultDocument:
    origin = result.origin
    return {
        "id": result.id,
        "origin": origin.key,
        "source": origin.source,
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
        "model": result.model,
        "received_at": utc_text(result.received_at),
        "classified_at": utc_text(result.classified_at),
    }


def schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a result's document."""
    described: dict[str, Any] = TypeAdapter(ResultDocument).json_schema()
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "classifyd result",
        **described,
    }


def schema_text() -> str:
    """`docs/result.schema.json`, to the byte."""
    return orjson.dumps(schema(), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode()
