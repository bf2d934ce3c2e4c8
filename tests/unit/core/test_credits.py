import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifyd.core.credits import Credits


@given(st.lists(st.integers(0, 200), max_size=50), st.integers(1, 10), st.integers(1, 100))
def test_credits_never_exceed_their_limits_and_come_back_whole(sizes, max_items, max_bytes):
    under_way = Credits(max_items, max_bytes)
    taken = [size for size in sizes if under_way.take(size)]
    assert under_way.items == len(taken) <= max_items
    assert under_way.bytes <= max_bytes
    for size in taken:
        under_way.give_back(size)
    assert (under_way.items, under_way.bytes) == (0, 0)


def test_something_larger_than_the_capacity_passes_alone():
    under_way = Credits(max_items=5, max_bytes=100)
    assert under_way.take(1000)
    assert not under_way.take(1)


def test_giving_back_what_was_not_taken_is_a_fault():
    under_way = Credits(max_items=5, max_bytes=100)
    with pytest.raises(ValueError, match="had not been taken"):
        under_way.give_back(1)
