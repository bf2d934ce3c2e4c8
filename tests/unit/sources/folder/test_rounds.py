from hypothesis import given
from hypothesis import strategies as st

from classifyd.sources.folder.rounds import Rounds

moments = st.floats(0.0, 1e4)


@given(
    st.lists(st.tuples(st.sampled_from(["some", "everything", "nothing"]), st.floats(0.0, 10.0)), max_size=40)
)
def test_scans_take_at_most_a_tenth_of_the_time(steps: list[tuple[str, float]]) -> None:
    rounds = Rounds(interval=30.0)
    now, spent = 0.0, 0.0
    for what, duration in steps:
        if what == "some":
            rounds.some()
        elif what == "everything":
            rounds.everything()
        now = max(now, rounds.due())
        rounds.scanned(rounds.full(now), now, now + duration)
        now += duration
        spent += duration
        assert rounds.due() >= now + duration * 8.99
        assert spent <= 0.1 * (rounds.due() + 1e-6) + 1e-6


def test_the_first_scan_is_a_full_one_and_due_at_once() -> None:
    rounds = Rounds(30.0)
    assert rounds.due() < 0
    assert rounds.full(0.0)


def test_a_full_scan_is_due_again_after_the_interval_although_folders_were_scanned_meanwhile() -> None:
    rounds = Rounds(30.0)
    rounds.scanned(True, 0.0, 0.0)
    assert rounds.due() == 30.0
    rounds.some()
    assert rounds.due() < 1.0
    assert not rounds.full(1.0)
    rounds.scanned(False, 1.0, 1.0)
    assert rounds.due() == 30.0
    assert rounds.full(30.0)


def test_a_full_scan_that_is_asked_for_later_is_due_then_and_not_put_off() -> None:
    rounds = Rounds(30.0)
    rounds.scanned(True, 0.0, 0.0)
    rounds.everything(at=5.0)
    rounds.everything(at=9.0)
    assert rounds.due() == 5.0
    rounds.everything()
    assert rounds.full(0.0)
