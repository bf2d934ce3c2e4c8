"""Work-conserving batches from two lanes: a passive policy; `pipeline.intake` gives it threads."""

from collections import deque
from collections.abc import Collection
from typing import Generic, TypeVar

from classifyd.core.values import Lane

T = TypeVar("T")

BULK_EVERY = 4
"""Of this many batches taken while both lanes wait, one is bulk, so that neither lane starves."""

ALL_LANES = frozenset(Lane)


class Batcher(Generic[T]):
    """Queues items by lane and hands them out in batches.

    A batch is of one lane: a request that somebody waits for is not held up by a backlog in its batch.
    It is first in, first out within its lane, and holds what is waiting, up to `max_items` items and
    `max_bytes` bytes, but at least one item, whatever its size.
    """

    def __init__(self, max_items: int, max_bytes: int) -> None:
        self._max_items = max_items
        self._max_bytes = max_bytes
        self._lanes: dict[Lane, deque[tuple[T, int, bool]]] = {lane: deque() for lane in Lane}
        self._bytes = dict.fromkeys(Lane, 0)
        self._interactive_run = 0

    def __len__(self) -> int:
        return sum(len(queue) for queue in self._lanes.values())

    @property
    def max_items(self) -> int:
        return self._max_items

    def first(self, lane: Lane) -> T | None:
        """What has waited for longest in a lane."""
        queue = self._lanes[lane]
        return queue[0][0] if queue else None

    def full(self, lane: Lane) -> bool:
        """Whether nothing more would go into the lane's next batch."""
        queue = self._lanes[lane]
        if not queue:
            return False
        alone = queue[0][2]
        return alone or len(queue) >= self._max_items or self._bytes[lane] >= self._max_bytes

    def limit_items(self, max_items: int) -> None:
        """Lowers or raises the size of batches taken from now on; at least 1."""
        self._max_items = max(1, max_items)

    def add(self, item: T, size: int, lane: Lane, alone: bool = False) -> None:
        """Queues an item of `size` bytes at the end of its lane; `alone` makes it a batch of its own."""
        self._lanes[lane].append((item, size, alone))
        self._bytes[lane] += size

    def put_back(self, item: T, size: int, lane: Lane) -> None:
        """Queues an item again that was taken, at the head of its lane."""
        self._lanes[lane].appendleft((item, size, False))
        self._bytes[lane] += size

    def take(self, lanes: Collection[Lane] = ALL_LANES) -> list[T]:
        """The next batch of these lanes; empty when nothing waits in them."""
        lane = self._next_lane(lanes)
        if lane is None:
            return []
        queue = self._lanes[lane]
        batch: list[T] = []
        total = 0
        while queue and len(batch) < self._max_items:
            item, size, alone = queue[0]
            if batch and (alone or total + size > self._max_bytes):
                break
            queue.popleft()
            batch.append(item)
            total += size
            if alone:
                break
        self._bytes[lane] -= total
        return batch

    def clear(self, lane: Lane) -> list[T]:
        """Removes everything that waits in a lane, and returns it."""
        items = [item for item, _size, _alone in self._lanes[lane]]
        self._lanes[lane].clear()
        self._bytes[lane] = 0
        return items

    def _next_lane(self, lanes: Collection[Lane]) -> Lane | None:
        waiting = [lane for lane in Lane if lane in lanes and self._lanes[lane]]
        if len(waiting) < len(Lane):
            return waiting[0] if waiting else None
        self._interactive_run += 1
        if self._interactive_run < BULK_EVERY:
            return Lane.INTERACTIVE
        self._interactive_run = 0
        return Lane.BULK
