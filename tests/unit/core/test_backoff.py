from hypothesis import given
from hypothesis import strategies as st

from classifyd.core.backoff import Backoff


@given(st.integers(0, 30), st.floats(0, 1))
def test_delays_double_up_to_the_longest_and_are_at_least_half_of_their_step(tries, draw):
    backoff = Backoff(first=0.5, longest=30.0, draw=lambda: draw)
    for number in range(tries + 1):
        delay = backoff.next()
        step = min(30.0, 0.5 * 2**number)
        assert step / 2 <= delay <= step


def test_a_servers_wish_is_the_least_and_success_resets():
    backoff = Backoff(first=1.0, longest=8.0, draw=lambda: 1.0)
    assert backoff.next(at_least=5.0) == 5.0
    assert backoff.next() == 2.0
    backoff.reset()
    assert backoff.next() == 1.0
