"""What is under way of each assigned partition. Safe from any thread; nothing blocks.

Three threads meet here: the consumer's own, kafka-python's (rebalances), and whoever settles.
"""

import threading
from collections.abc import Callable, Collection, Sequence

from kafka import TopicPartition

from classifyd.core.offsets import OffsetTracker
from classifyd.sources.kafka.unreadable import Unreadable


class Partition:
    """One partition while it is assigned. When it is taken away it is `gone`, and stays so: a later
    assignment of the same partition is a new one, so that a late settlement cannot reach it.

    It is `ready` once its beginning is known to be right; then `incarnation` is the topic's id, None where
    the broker tells none. `end` is where the work of a single run ends, `committed` what the group is known
    to have. It is not read before `retry_at` (monotonic) once its next record could not be read.
    """

    def __init__(self, where: TopicPartition, lock: threading.Lock) -> None:
        self.where = where
        self.incarnation: str | None = None
        self.gone = False
        self.ready = False
        self.end: int | None = None
        self.committed: int | None = None
        self.retry_at = 0.0
        self._lock = lock
        self._tracker = OffsetTracker()
        self._position: int | None = None
        self._unreadable: Unreadable | None = None

    def take(self, offsets: Sequence[int], position: int) -> None:
        """Notes records as under way; `position` is the offset that is read next."""
        with self._lock:
            self._tracker.take(offsets)
            self._position = position

    def settle(self, offset: int) -> None:
        """Notes that a record's outcome is committed."""
        with self._lock:
            self._tracker.settle(offset)

    def advance(self, position: int) -> None:
        """Notes that everything up to `position` was read: transaction markers hold no records."""
        with self._lock:
            self._position = position

    def stop_at(self, unreadable: Unreadable, retry_at: float) -> None:
        """Notes that what is read next cannot be, and when to try again."""
        self._unreadable = unreadable
        self.retry_at = retry_at

    @property
    def unreadable(self) -> Unreadable | None:
        """What it stands before and cannot read."""
        found, position = self._unreadable, self._position
        return found if found and (position is None or position <= found.offset) else None

    @property
    def idle(self) -> bool:
        return not self._tracker

    @property
    def full(self) -> bool:
        return self._tracker.full

    @property
    def position(self) -> int | None:
        """The offset that is read next, None before anything was read."""
        return self._position

    @property
    def safe(self) -> int | None:
        """The offset that may be committed: nothing below it is unsettled. None before anything was read."""
        with self._lock:
            watermark = self._tracker.watermark
            return self._position if watermark is None else watermark

    @property
    def finished(self) -> bool:
        """Whether a single run has worked it off."""
        return self.end is not None and self.committed is not None and self.committed >= self.end

    @property
    def left(self) -> int:
        """How many records of a single run's work are not settled, the gaps between them counted too."""
        return max(0, (self.end or 0) - (self.safe or self.committed or 0))


class Partitions:
    """The assigned partitions."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: dict[TopicPartition, Partition] = {}

    def all(self) -> list[Partition]:
        with self._lock:
            return list(self._held.values())

    def get(self, where: TopicPartition) -> Partition | None:
        with self._lock:
            return self._held.get(where)

    def assign(self, assigned: Collection[TopicPartition]) -> list[Partition]:
        """Keeps what is still assigned, drops what is missing, begins and returns what is new."""
        self.drop(lambda partition: partition.where not in assigned)
        with self._lock:
            new = [Partition(where, self._lock) for where in assigned if where not in self._held]
            self._held.update((partition.where, partition) for partition in new)
        return new

    def renew(self, old: Partition, incarnation: str | None) -> Partition:
        """Begins a partition again, from its first record; it is `gone` at once if `old` was already."""
        with self._lock:
            new = Partition(old.where, self._lock)
            new.ready, new.end, new.incarnation, new.gone = True, old.end, incarnation, old.gone
            if not old.gone:
                old.gone = True
                self._held[old.where] = new
        return new

    def drop(self, which: Callable[[Partition], bool] = lambda _partition: True) -> list[Partition]:
        """Forgets partitions, all of them by default: their records under way no longer count."""
        with self._lock:
            dropped = [partition for partition in self._held.values() if which(partition)]
            for partition in dropped:
                partition.gone = True
                del self._held[partition.where]
        return dropped

    def uncommitted(self) -> dict[Partition, int]:
        """The offsets that may be committed and are not yet."""
        return {
            partition: safe
            for partition in self.all()
            if (safe := partition.safe) is not None and safe != partition.committed
        }
