"""What a source meets: an inlet and a part."""

import threading

from classifyd.core.credits import Credits
from classifyd.core.values import Delivery, Disposition, Settlement

DONE = Settlement(Disposition.DONE)


class FakeInlet:
    """Keeps what is offered; gives `items` credits."""

    def __init__(self, items: int = 10_000) -> None:
        self._changed = threading.Condition()
        self._credits = Credits(items, 2**30)
        self.closed: str | None = None
        self.offered: list[Delivery] = []
        self.bursts: list[int] = []

    def reserve(self, size: int, timeout: float = 0.0) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: not self.closed and self._credits.take(size), timeout)

    def release(self, size: int) -> None:
        with self._changed:
            self._credits.give_back(size)
            self._changed.notify_all()

    def offer(self, *deliveries: Delivery) -> None:
        self.offered.extend(deliveries)
        self.bursts.append(len(deliveries))

    @property
    def under_way(self) -> int:
        return self._credits.items

    @property
    def bytes_under_way(self) -> int:
        return self._credits.bytes


class FakePart:
    """Keeps what it was told."""

    def __init__(self) -> None:
        self.told: list[str | None] = []

    def up(self, detail: str = "") -> None:
        if not self.told or self.told[-1] is not None:
            self.told.append(None)

    def down(self, reason: str) -> None:
        if not self.told or self.told[-1] != reason:
            self.told.append(reason)
