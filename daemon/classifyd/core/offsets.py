"""How far a Kafka partition may be committed: the watermark of settled records in delivery order.

A committed offset names the next record to read, so it must not pass a record whose outcome is not
committed. Offsets have gaps (transaction markers, compaction), hence the tracker keeps the offsets that
were taken instead of counting from one to the next.
"""

from collections import deque
from collections.abc import Iterable

PAUSE_AT = 10_000
"""Records past the watermark at which a partition is paused: bounds the tracker's own memory."""


class OffsetTracker:
    """The records of one partition that lie past its watermark. Not thread-safe.

    Offsets are taken in rising order, as a partition delivers them, and settled in any order.
    """

    def __init__(self) -> None:
        self._order: deque[int] = deque()
        self._settled: set[int] = set()

    def take(self, offsets: Iterable[int]) -> None:
        """Notes records as under way."""
        self._order.extend(offsets)

    def settle(self, offset: int) -> None:
        """Notes that the outcome of a record is committed. Each taken offset is settled once."""
        self._settled.add(offset)
        while self._order and self._order[0] in self._settled:
            self._settled.remove(self._order.popleft())

    @property
    def watermark(self) -> int | None:
        """The lowest offset that is not settled: where a restart must begin. None when nothing is under
        way, and everything up to the consumer's position may be committed."""
        return self._order[0] if self._order else None

    def __len__(self) -> int:
        """The records past the watermark, settled ones among them."""
        return len(self._order)

    @property
    def full(self) -> bool:
        """Whether so many records lie past the watermark that nothing more should be taken."""
        return len(self._order) >= PAUSE_AT
