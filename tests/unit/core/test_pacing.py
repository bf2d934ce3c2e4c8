import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifyd.core.pacing import Pace

SHORTEST = 8.0
LONGEST = 32.0


@given(st.lists(st.integers(0, 100), max_size=50))
def test_rests_add_up_to_the_work(pieces):
    pace, now, worked, rested = Pace(SHORTEST, LONGEST), 0.0, 0.0, 0.0
    for piece in pieces:
        pace.begin(now)
        now += piece
        rest = pace.rest(now)
        assert rest == 0 or rest >= SHORTEST
        worked, rested = worked + min(piece, LONGEST), rested + rest
        assert 0 <= worked - rested < SHORTEST
        now += rest


@pytest.mark.parametrize("pauses", [0, 1])
def test_what_lies_between_two_pieces_is_no_work(pauses):
    pace = Pace(SHORTEST, LONGEST)
    assert pace.rest(100.0) == 0
    pace.begin(200.0)
    assert pace.rest(210.0) == 10.0
    for _ in range(pauses):
        assert pace.rest(300.0) == 0
    pace.begin(400.0)
    assert pace.rest(400.0) == 0
