"""A result's JSON document and its schema."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import jsonschema
import orjson
import pytest

from classifyd.core.documents import document, schema, schema_text
from classifyd.core.values import Candidate, Origin, Prediction, Reason, Rejected, Result, Source

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
CLASSIFIED = Result(
    id="01BX5ZZKBKACTAV9WEVGEMMVRZ",
    origin=Origin(Source.FOLDER, "folder:ULID/a/cat.jpg", "cat.jpg", "a/cat.jpg"),
    outcome=Prediction((Candidate(3, "cat", 0.75), Candidate(5, "dog", 0.25)), "resnet", "7"),
    model="resnet",
    sha256="ab" * 32,
    size_bytes=5,
    width=32,
    height=24,
    received_at=NOW,
    classified_at=NOW,
    stored_path="/done/2026-01-31/a/cat.jpg",
)
REJECTED = replace(CLASSIFIED, outcome=Rejected(Reason.EMPTY, "no bytes"), sha256=None, width=None)
VALIDATOR = jsonschema.Draft202012Validator(schema())


def as_read(result):
    return orjson.loads(orjson.dumps(document(result)))


@pytest.mark.parametrize("result", [CLASSIFIED, REJECTED])
def test_a_document_fits_the_schema_and_has_every_field(result):
    VALIDATOR.validate(as_read(result))
    assert as_read(result).keys() == as_read(CLASSIFIED).keys()


def test_a_classified_document_tells_the_answer():
    told = as_read(CLASSIFIED)
    assert (told["status"], told["class_index"], told["label"], told["confidence"]) == (
        "classified",
        3,
        "cat",
        0.75,
    )
    assert told["top"][1] == {"class_index": 5, "label": "dog", "probability": 0.25}
    assert told["classified_at"] == "2026-01-31T12:00:00.000Z"


@pytest.mark.parametrize(
    "change",
    [
        {"status": "lost"},
        {"label": None},
        {"confidence": 1.5},
        {"top": []},
        {"classified_at": "yesterday"},
        {"error_code": "empty"},
        {"unknown": 1},
    ],
)
def test_the_schema_refuses_what_no_document_says(change):
    assert not VALIDATOR.is_valid(as_read(CLASSIFIED) | change)


def test_the_schema_in_the_documentation_is_the_codes():
    kept = Path(__file__).parents[3] / "docs" / "result.schema.json"
    assert kept.read_text() == schema_text(), "write schema_text() to docs/result.schema.json"
