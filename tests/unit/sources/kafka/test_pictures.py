"""The picture in a record."""

import base64

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifyd.core.values import Reason, Rejected
from classifyd.sources.kafka.pictures import picture

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
EVENT = {"specversion": "1.0", "id": "1", "source": "/camera", "type": "picture"}
BINARY = [(f"ce_{name}", text.encode()) for name, text in EVENT.items()]
STRUCTURED = [("content-type", b"application/cloudevents+json; charset=utf-8")]


def structured(**changes):
    return orjson.dumps(EVENT | {"data_base64": base64.b64encode(b"\xff\xd8").decode()} | changes)


def refusal(found):
    assert isinstance(found, Rejected)
    assert found.reason is Reason.NOT_AN_EVENT
    return found.detail


@given(st.binary(), st.lists(st.tuples(st.sampled_from(["camera", "content-type"]), st.none())))
def test_a_record_without_event_headers_is_a_bare_picture(value, headers):
    assert picture(headers, value) == (value, None)


def test_an_ordinary_content_type_makes_no_event():
    assert picture([("content-type", b"image/jpeg")], b"\xff\xd8") == (b"\xff\xd8", None)


@pytest.mark.parametrize("value", [b"\xff\xd8", b"", b"text", b'{"a": 1}'])
def test_the_value_of_a_binary_event_is_its_picture_whatever_it_holds(value):
    assert picture([*BINARY, ("content-type", b"application/json")], value) == (value, None)


def test_a_structured_event_holds_its_picture_in_base64():
    assert picture(STRUCTURED, structured()) == (b"\xff\xd8", None)


def test_header_names_count_in_any_case():
    assert picture([("Content-Type", STRUCTURED[0][1])], structured())[0] == b"\xff\xd8"


@pytest.mark.parametrize("missing", ["source", "type"])
def test_a_binary_event_without_a_required_attribute_is_refused(missing):
    headers = [(name, value) for name, value in BINARY if name != f"ce_{missing}"]
    assert missing in refusal(picture(headers, b"\xff\xd8")[0])


def test_a_binary_event_that_leaves_its_id_to_us_is_taken():
    assert picture(BINARY[2:], b"\xff\xd8") == (b"\xff\xd8", None)


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"{",
        b"\xff\xd8",
        b"[]",
        b"1",
        b"null",
        b"[" * 100_000,
        structured(time="yesterday"),
        structured(data_base64="a"),
        structured(data_base64=1),
        structured(id=None),
        structured(specversion="7"),
        structured(id=1),
    ],
    ids=range(13),
)
def test_what_is_no_structured_event_is_refused(value):
    assert refusal(picture(STRUCTURED, value)[0]).startswith("not a CloudEvent with a picture: ")


@pytest.mark.parametrize("data", [{}, {"data": "text"}, {"data": {"a": 1}}, {"data": None}])
def test_a_structured_event_without_base64_data_is_refused(data):
    value = orjson.dumps(EVENT | data)
    assert "data_base64" in refusal(picture(STRUCTURED, value)[0])


def test_batches_and_other_formats_are_refused_by_name():
    found, _ = picture([("content-type", b"application/cloudevents-batch+json")], b"[]")
    assert "application/cloudevents-batch+json" in refusal(found)


@given(st.binary(max_size=64))
def test_no_structured_value_raises(value):
    picture(STRUCTURED, value)


@given(st.lists(st.tuples(st.sampled_from(["ce_id", "ce_time", "ce_x", "ce_"]), st.binary(max_size=9))))
def test_no_binary_headers_raise(headers):
    picture(headers, b"\xff\xd8")


@pytest.mark.parametrize(
    ("headers", "value"),
    [
        ([("traceparent", TRACE.encode())], b"\xff\xd8"),
        ([*BINARY, ("ce_traceparent", TRACE.encode())], b"\xff\xd8"),
        ([*STRUCTURED, ("traceparent", TRACE.encode())], structured()),
        (STRUCTURED, structured(traceparent=TRACE)),
    ],
)
def test_the_traceparent_is_found_wherever_it_stands(headers, value):
    assert picture(headers, value) == (b"\xff\xd8", TRACE)


@pytest.mark.parametrize("wrong", [b"", b"00-xyz", b"\xff" * 55, TRACE.upper().encode()])
def test_a_traceparent_that_is_none_is_left_out(wrong):
    assert picture([("traceparent", wrong)], b"\xff\xd8") == (b"\xff\xd8", None)


def test_a_refusal_does_not_quote_a_whole_header():
    refused, _ = picture([("content-type", b"application/cloudevents" + b"x" * 900_000)], b"")
    assert len(refused.detail) < 600
