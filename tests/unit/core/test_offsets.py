"""How far a partition may be committed."""

from hypothesis import given
from hypothesis import strategies as st

from classifyd.core.offsets import PAUSE_AT, OffsetTracker

offsets_with_gaps = st.sets(st.integers(0, 10_000), min_size=1, max_size=60).map(sorted)


@given(offsets_with_gaps, st.data())
def test_the_watermark_never_passes_a_record_that_is_not_settled(offsets, data):
    tracker = OffsetTracker()
    tracker.take(offsets)
    unsettled = set(offsets)
    for offset in data.draw(st.permutations(offsets)):
        assert tracker.watermark == min(unsettled)
        tracker.settle(offset)
        unsettled.remove(offset)
    assert tracker.watermark is None
    assert len(tracker) == 0


@given(offsets_with_gaps, st.data())
def test_taking_and_settling_may_alternate(offsets, data):
    tracker = OffsetTracker()
    waiting, unsettled = list(offsets), set()
    while waiting or unsettled:
        if waiting and (not unsettled or data.draw(st.booleans())):
            count = data.draw(st.integers(1, len(waiting)))
            tracker.take(waiting[:count])
            unsettled.update(waiting[:count])
            del waiting[:count]
        else:
            settled = data.draw(st.sampled_from(sorted(unsettled)))
            tracker.settle(settled)
            unsettled.remove(settled)
        assert tracker.watermark == (min(unsettled) if unsettled else None)


def test_settled_records_behind_a_hole_count_until_the_hole_is_settled():
    tracker = OffsetTracker()
    tracker.take([3, 5, 9])
    tracker.settle(9)
    tracker.settle(5)
    assert (tracker.watermark, len(tracker)) == (3, 3)
    tracker.settle(3)
    assert (tracker.watermark, len(tracker)) == (None, 0)


def test_it_is_full_when_too_many_records_lie_past_the_watermark():
    tracker = OffsetTracker()
    tracker.take(range(PAUSE_AT - 1))
    assert not tracker.full
    tracker.take([PAUSE_AT])
    assert tracker.full
    for offset in range(1, PAUSE_AT - 1):
        tracker.settle(offset)
    assert tracker.full, "the first record is not settled"
    tracker.settle(0)
    assert not tracker.full
