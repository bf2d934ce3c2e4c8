"""Outcome messages and dead letters."""

from dataclasses import replace
from datetime import UTC, datetime

import orjson
import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary_event
from hypothesis import given
from hypothesis import strategies as st

from classifyd.core.documents import document
from classifyd.core.messages import LONGEST_KEY, dead_letter, outcome_message, reduced, restored
from classifyd.core.values import (
    Candidate,
    Image,
    Origin,
    Prediction,
    Reason,
    Record,
    Rejected,
    Result,
    Source,
)

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
INSTANCE = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
PREDICTION = Prediction((Candidate(3, "cat", 0.75), Candidate(5, "dog", 0.25)), "resnet", "7")
REFUSAL = Rejected(Reason.NOT_A_JPEG, "it is a PNG")
RECORD = Record("pictures", 2, 41, b"cat.jpg", b"bytes", (("camera", b"north"),))
KAFKA = Origin(Source.KAFKA, "kafka:c/pictures/i/2/41", "cat.jpg", None, "pictures", 2, 41)
FOLDER = Origin(Source.FOLDER, "folder:ULID/a/cat.jpg", "cat.jpg", "a/cat.jpg")
HTTP = Origin(Source.HTTP, "http:ULID")


def result_of(origin=KAFKA, outcome=PREDICTION):
    return Result("01BX5ZZKBKACTAV9WEVGEMMVRZ", origin, outcome, "resnet", "ab" * 32, 5, 32, 32, NOW, NOW)


def image_of(origin=KAFKA, record=RECORD, traceparent=None):
    return Image(origin, b"bytes", "ab" * 32, 5, 32, 32, NOW, traceparent, record)


def test_an_outcome_is_a_cloud_event_with_the_document_as_its_data():
    message = outcome_message(result_of(), image_of(), "outcomes", INSTANCE)
    event = from_binary_event(KafkaMessage(dict(message.headers), None, message.value))
    assert message.topic == "outcomes"
    assert event.get_id() == "01BX5ZZKBKACTAV9WEVGEMMVRZ"
    assert event.get_source() == f"urn:classifyd:{INSTANCE}"
    assert event.get_type() == "classifyd.image.classified.v1"
    assert event.get_subject() == "cat.jpg"
    assert event.get_time() == NOW
    assert event.get_datacontenttype() == "application/json"
    assert event.get_data() == document(result_of())
    assert orjson.loads(message.value)["origin"] == KAFKA.key


def test_a_rejection_has_its_own_type():
    message = outcome_message(result_of(outcome=REFUSAL), image_of(), "outcomes", INSTANCE)
    assert dict(message.headers)["ce_type"] == b"classifyd.image.rejected.v1"
    assert orjson.loads(message.value)["error_code"] == "not_a_jpeg"


@pytest.mark.parametrize(
    ("origin", "record", "key"),
    [
        (KAFKA, RECORD, b"cat.jpg"),
        (KAFKA, replace(RECORD, key=None), None),
        (KAFKA, replace(RECORD, key=b"\xff\x00"), b"\xff\x00"),
        (FOLDER, None, b"a/cat.jpg"),
        (HTTP, None, None),
    ],
)
def test_the_key_is_the_records_or_the_path(origin, record, key):
    assert outcome_message(result_of(origin), image_of(origin, record), "outcomes", INSTANCE).key == key


def test_a_name_and_a_traceparent_that_are_missing_make_no_header():
    names = dict(outcome_message(result_of(HTTP), image_of(HTTP, None), "outcomes", INSTANCE).headers)
    assert not {"ce_subject", "traceparent"} & names.keys()


def test_the_traceparent_is_passed_through():
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    message = outcome_message(result_of(), image_of(traceparent=trace), "outcomes", INSTANCE)
    assert dict(message.headers)["traceparent"] == trace.encode()


def test_a_dead_letter_repeats_the_record_and_tells_origin_and_reason():
    letter = dead_letter(result_of(outcome=REFUSAL), RECORD, "dead")
    headers = dict(letter.headers)
    assert (letter.topic, letter.key, letter.value) == ("dead", b"cat.jpg", b"bytes")
    assert headers["camera"] == b"north"
    assert headers["classifyd-origin"] == KAFKA.key.encode()
    assert headers["classifyd-reason"] == b"not_a_jpeg"
    assert headers["classifyd-detail"] == b"it is a PNG"
    assert (headers["classifyd-topic"], headers["classifyd-partition"]) == (b"pictures", b"2")
    assert headers["classifyd-offset"] == b"41"
    assert "classifyd-null" not in headers


def test_nulls_become_empty_bytes_and_are_named():
    record = replace(RECORD, value=None, headers=(("a", None), ("a", b""), ("b", None)))
    letter = dead_letter(result_of(outcome=REFUSAL), record, "dead")
    assert letter.value == b""
    assert letter.headers[:3] == (("a", b""), ("a", b""), ("b", b""))
    assert dict(letter.headers)["classifyd-null"] == b"value,header:0,header:2"


def test_a_letter_that_is_too_large_loses_its_value_then_its_headers_then_its_key():
    record = replace(
        RECORD, key=b"key", headers=(("camera", b"north"), ("classifyd-id", b"foreign"), ("n", None))
    )
    letter = dead_letter(result_of(outcome=REFUSAL), record, "dead")
    without_value = reduced(letter)
    assert (without_value.value, without_value.key) == (b"", b"key")
    assert without_value.headers == (*letter.headers, ("classifyd-value-omitted", b"5"))
    without_headers = reduced(without_value)
    assert without_headers.key == b"key"
    told = dict(without_headers.headers)
    assert len(told) == len(without_headers.headers), "each once"
    assert set(told) == {
        *(
            f"classifyd-{name}"
            for name in ("id", "origin", "reason", "detail", "topic", "partition", "offset")
        ),
        "classifyd-value-omitted",
        "classifyd-headers-omitted",
    }
    assert told["classifyd-id"] == result_of().id.encode()
    without_key = reduced(without_headers)
    assert (without_key.key, dict(without_key.headers)["classifyd-key-omitted"]) == (None, b"3")
    assert reduced(without_key) is None
    for one in (without_value, without_headers, without_key):
        assert restored(consumed(one)) is None


def test_an_outcome_has_no_smaller_form():
    assert reduced(outcome_message(result_of(KAFKA), image_of(KAFKA, RECORD), "outcomes", INSTANCE)) is None


def test_a_key_that_could_be_larger_than_the_topic_takes_is_not_repeated():
    for size, kept in ((LONGEST_KEY, True), (LONGEST_KEY + 1, False)):
        record = replace(RECORD, key=b"k" * size)
        message = outcome_message(result_of(KAFKA), image_of(KAFKA, record), "outcomes", INSTANCE)
        assert message.key == (record.key if kept else None)


def consumed(letter):
    return Record(letter.topic, 0, 0, letter.key, letter.value, letter.headers)


names = st.text(min_size=1, max_size=8).filter(lambda name: not name.startswith("classifyd-"))
records = st.builds(
    Record,
    topic=st.just("pictures"),
    partition=st.integers(0, 9),
    offset=st.integers(0, 10**9),
    key=st.none() | st.binary(max_size=8),
    value=st.none() | st.binary(max_size=8),
    headers=st.lists(st.tuples(names, st.none() | st.binary(max_size=8)), max_size=4).map(tuple),
)


@given(records)
def test_a_record_is_restored_from_its_dead_letter(record):
    letter = dead_letter(result_of(outcome=REFUSAL), record, "dead")
    assert restored(consumed(letter)) == record


def test_a_letter_without_its_value_and_a_foreign_record_restore_nothing():
    letter = dead_letter(result_of(outcome=REFUSAL), RECORD, "dead")
    assert restored(consumed(reduced(letter))) is None
    assert restored(RECORD) is None


@pytest.mark.parametrize("broken", [b"x", b"-1", b""])
def test_a_letter_with_a_place_that_is_no_number_restores_nothing(broken):
    letter = dead_letter(result_of(outcome=REFUSAL), RECORD, "dead")
    headers = tuple((name, broken if name == "classifyd-offset" else value) for name, value in letter.headers)
    assert restored(replace(consumed(letter), headers=headers)) is None
