"""Times as text: UTC, milliseconds, sortable."""

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifyd.core.times import utc_moment, utc_text

# A day from either end of what datetime can hold, so that no offset leads past it.
moments = st.datetimes(
    min_value=datetime(1, 1, 2),
    max_value=datetime(9999, 12, 30),
    timezones=st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes))),
)


def test_the_text_is_utc_with_milliseconds():
    noon = datetime(2026, 1, 31, 13, 0, 0, 5_999, tzinfo=timezone(timedelta(hours=1)))
    assert utc_text(noon) == "2026-01-31T12:00:00.005Z"


def test_an_hour_that_comes_twice_is_two_hours_in_utc():
    """Python takes them for equal."""
    first = datetime(2026, 10, 25, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"))
    assert utc_text(first) == "2026-10-25T00:30:00.000Z"
    assert utc_text(first.replace(fold=1)) == "2026-10-25T01:30:00.000Z"


@given(moments)
def test_reading_gives_back_the_moment_to_the_millisecond(moment):
    kept = utc_moment(utc_text(moment))
    assert kept.tzinfo is UTC
    assert timedelta() <= moment - kept < timedelta(milliseconds=1)


@given(moments, moments)
def test_texts_sort_as_their_moments_do(one, other):
    earlier, later = sorted([one, other])
    assert utc_text(earlier) <= utc_text(later)


@given(moments)
def test_every_text_has_the_same_length(moment):
    assert len(utc_text(moment)) == len("2026-01-31T12:00:00.000Z")


@pytest.mark.parametrize("text", ["", "yesterday", "2026-13-01T00:00:00Z", "2026-01-31T12:00:00.000"])
def test_other_text_is_refused(text):
    with pytest.raises(ValueError, match=r"."):
        utc_moment(text)


def test_a_time_without_a_zone_is_refused_by_name():
    with pytest.raises(ValueError, match="'2026-01-31T12:00:00' has no time zone"):
        utc_moment("2026-01-31T12:00:00")
