"""A result read equals the one written, whatever text and numbers it holds."""

from datetime import UTC, datetime, timedelta, timezone
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import create_engine, insert, select

from classifyd.core.errors import UnstorableRow
from classifyd.core.values import (
    Candidate,
    Message,
    Origin,
    Prediction,
    Reason,
    Rejected,
    Result,
    Source,
)
from classifyd.store.rows import OUTBOX_COLUMNS, message_of, result_of, row_of, row_of_message
from classifyd.store.tables import results

text = st.text(st.characters(exclude_categories=["Cs"]))
integers = st.integers(0, 2**63 - 1)
zones = st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=45)), timezone(-timedelta(hours=11))])
moments = st.builds(
    lambda moment, ms: moment.replace(microsecond=ms * 1000),
    st.datetimes(datetime(1970, 1, 2), datetime(9999, 12, 30), timezones=zones),
    st.integers(0, 999),
)
candidates = st.builds(Candidate, integers, text, st.floats(allow_nan=False, allow_infinity=False))
outcomes = st.one_of(
    st.builds(
        Prediction,
        top=st.lists(candidates, min_size=1, max_size=5).map(tuple),
        model=st.just("resnet"),
        model_version=text,
    ),
    st.builds(Rejected, st.sampled_from(Reason), text),
)
origins = st.builds(
    Origin,
    source=st.sampled_from(Source),
    key=text,
    name=st.none() | text,
    path=st.none() | text,
    topic=st.none() | text,
    partition=st.none() | integers,
    offset=st.none() | integers,
)
any_result = st.builds(
    Result,
    id=text,
    origin=origins,
    outcome=outcomes,
    model=st.just("resnet"),
    sha256=st.none() | text,
    size_bytes=integers,
    width=st.none() | integers,
    height=st.none() | integers,
    received_at=moments,
    classified_at=moments,
    stored_path=st.none() | text,
)
headers = st.lists(st.tuples(text, st.binary()), max_size=4).map(tuple)
messages = st.builds(Message, text, st.none() | st.binary(), headers, st.binary())

_engine = create_engine("sqlite://")
results.create(_engine)


@given(any_result)
def test_a_result_comes_back_from_the_table_as_it_was(result):
    with _engine.connect() as connection:
        connection.exec_driver_sql(str(insert(results).compile(_engine)), row_of(result))
        row = connection.execute(select(results)).one()
    assert result_of(row) == result


@given(messages)
def test_a_message_comes_back_as_it_was(message):
    assert (
        message_of(SimpleNamespace(**dict(zip(OUTBOX_COLUMNS, row_of_message("id", message), strict=True))))
        == message
    )


@given(st.sampled_from([float("nan"), float("inf"), -float("inf")]), st.integers(0, 1))
def test_a_number_that_json_does_not_have_is_unstorable(number, place):
    top = [Candidate(0, "a", 0.5), Candidate(1, "b", 0.5)]
    top[place] = Candidate(place, "x", number)
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    prediction = Prediction(tuple(top), "resnet", "1")
    result = Result(
        "id", Origin(Source.HTTP, "http:7"), prediction, "resnet", None, 1, None, None, moment, moment
    )
    with pytest.raises(UnstorableRow, match="http:7"):
        row_of(result)
