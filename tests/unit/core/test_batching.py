from hypothesis import given
from hypothesis import strategies as st

from classifyd.core.batching import BULK_EVERY, Batcher
from classifyd.core.values import Lane

ITEMS = st.lists(st.tuples(st.integers(0, 50), st.sampled_from(list(Lane))), max_size=60)


def filled(items: list[tuple[int, Lane]], max_items: int, max_bytes: int) -> Batcher[tuple[int, int, Lane]]:
    batcher: Batcher[tuple[int, int, Lane]] = Batcher(max_items, max_bytes)
    for number, (size, lane) in enumerate(items):
        batcher.add((number, size, lane), size, lane)
    return batcher


@given(ITEMS, st.integers(1, 8), st.integers(1, 100))
def test_every_item_comes_out_once_and_in_the_order_of_its_lane(items, max_items, max_bytes):
    batcher = filled(items, max_items, max_bytes)
    taken = []
    while batch := batcher.take():
        taken.extend(batch)
    for lane in Lane:
        expected = [(number, size, lane) for number, (size, of) in enumerate(items) if of is lane]
        assert [item for item in taken if item[2] is lane] == expected
    assert len(batcher) == 0


@given(ITEMS, st.integers(1, 8), st.integers(1, 100))
def test_a_batch_keeps_to_its_limits_but_holds_at_least_one(items, max_items, max_bytes):
    batcher = filled(items, max_items, max_bytes)
    while batch := batcher.take():
        assert len(batch) <= max_items
        assert len(batch) == 1 or sum(size for _, size, _ in batch) <= max_bytes
        assert len({lane for _, _, lane in batch}) == 1


@given(ITEMS, st.integers(1, 8))
def test_a_free_worker_takes_all_that_fits_at_once(items, max_items):
    batcher = filled(items, max_items, max_bytes=10**9)
    waiting = {lane: sum(of is lane for _, of in items) for lane in Lane}
    while batch := batcher.take():
        lane = batch[0][2]
        assert len(batch) == min(max_items, waiting[lane])
        waiting[lane] -= len(batch)


def test_interactive_goes_first_but_every_fourth_batch_is_bulk():
    items = [(1, Lane.BULK)] * 4 + [(1, Lane.INTERACTIVE)] * 12
    batcher = filled(items, max_items=1, max_bytes=100)
    lanes = [batcher.take()[0][2] for _ in range(8)]
    assert [index for index, lane in enumerate(lanes, 1) if lane is Lane.BULK] == [BULK_EVERY, 2 * BULK_EVERY]


def test_a_worker_of_one_lane_gets_nothing_of_the_other():
    batcher = filled([(1, Lane.BULK)], max_items=4, max_bytes=100)
    assert batcher.take({Lane.INTERACTIVE}) == []
    assert len(batcher.take({Lane.BULK})) == 1


def test_what_is_put_back_comes_first():
    batcher = filled([(1, Lane.BULK), (1, Lane.BULK)], max_items=1, max_bytes=100)
    first = batcher.take()[0]
    batcher.put_back(first, 1, Lane.BULK)
    assert batcher.take() == [first]


def test_the_size_of_batches_can_be_changed_and_a_lane_cleared():
    batcher = filled([(1, Lane.BULK)] * 5, max_items=4, max_bytes=100)
    batcher.limit_items(0)
    assert len(batcher.take()) == 1
    assert len(batcher.clear(Lane.BULK)) == 4
    assert batcher.take() == []


def test_what_is_to_be_tried_alone_is_a_batch_of_its_own_in_its_turn():
    batcher: Batcher[str] = Batcher(8, 100)
    for name in ("a", "b"):
        batcher.add(name, 1, Lane.BULK)
    batcher.add("suspect", 1, Lane.BULK, alone=True)
    batcher.add("c", 1, Lane.BULK)
    assert [batcher.take(), batcher.take(), batcher.take()] == [["a", "b"], ["suspect"], ["c"]]
