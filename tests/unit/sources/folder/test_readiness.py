from hypothesis import given
from hypothesis import strategies as st

from classifyd.sources.folder.files import Fingerprint
from classifyd.sources.folder.readiness import Patience, Readiness

PATIENCE = Patience(settle_time=1.0, incomplete_timeout=60.0)
fingerprints = st.builds(Fingerprint, st.integers(0, 3), st.integers(0, 3), st.integers(0, 1))
looks = st.lists(st.tuples(st.floats(0.0, 100.0), fingerprints, st.booleans()), max_size=20)


@given(fingerprints, looks)
def test_a_file_is_due_only_when_it_stood_still_or_was_closed_as_it_is(
    first: Fingerprint, later: list[tuple[float, Fingerprint, bool]]
) -> None:
    at, changed_at, closed_since = 0.0, 0.0, False
    readiness = Readiness(first, at)
    for pause, seen, closed in later:
        at += pause
        if seen != readiness.seen:
            changed_at, closed_since = at, False
        closed_since = closed_since or closed
        readiness = readiness.observe(seen, at, closed)
        assert readiness.seen == seen
        expected = changed_at if closed_since else changed_at + PATIENCE.settle_time
        assert readiness.due(PATIENCE) == expected


@given(fingerprints, st.floats(0.0, 1e6), st.booleans(), st.floats(0.0, 200.0))
def test_an_incomplete_file_is_due_again_exactly_when_it_may_be_condemned(
    seen: Fingerprint, since: float, closed: bool, later: float
) -> None:
    incomplete = Readiness(seen, since, closed).found_incomplete()
    assert incomplete.due(PATIENCE) == since + PATIENCE.incomplete_timeout
    assert incomplete.condemnable(since + later, PATIENCE) == (since + later - since >= 60.0)


@given(fingerprints, fingerprints)
def test_a_file_that_goes_on_growing_is_no_longer_incomplete(seen: Fingerprint, grown: Fingerprint) -> None:
    incomplete = Readiness(seen, 0.0).found_incomplete()
    assert incomplete.observe(grown, 5.0).incomplete == (grown == seen)


def test_the_end_of_a_file_is_waited_for_no_shorter_than_its_settling() -> None:
    hasty = Patience(settle_time=5.0, incomplete_timeout=1.0)
    assert Readiness(Fingerprint(1, 1, 1), 0.0).found_incomplete().due(hasty) == 5.0
