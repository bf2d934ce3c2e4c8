"""Pictures on which the model alone fails: tried again for an hour before one is condemned."""

import heapq
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")

ATTEMPTS = 10
PERIOD = 3600.0
"""A picture is condemned after this many failures over at least this many seconds, each while the model
accepted a control picture."""

FIRST_DELAY = 5.0
LONGEST_DELAY = 600.0
_DOUBLINGS = 16


@dataclass(slots=True)
class _Case:
    first_failure: float
    failures: int = 0
    unanswered: int = 0


class Suspects(Generic[T]):
    """Keeps suspected pictures until they are to be tried again. Times are monotonic seconds.

    Failures are counted by key, whatever delivery they came with; each delivery that is kept comes out
    once. It holds at most what is under credit, since a suspect keeps its credit while it waits.
    """

    def __init__(self) -> None:
        self._cases: dict[Hashable, _Case] = {}
        self._due: list[tuple[float, int, T]] = []
        self._sequence = 0

    def __len__(self) -> int:
        """The pictures that are set aside, or are being tried again."""
        return len(self._cases)

    def failed(self, key: Hashable, item: T, now: float) -> bool:
        """Counts a failure; True when the picture is condemned now, else its item is kept for later."""
        case = self._cases.setdefault(key, _Case(first_failure=now))
        case.failures += 1
        if case.failures >= ATTEMPTS and now - case.first_failure >= PERIOD:
            del self._cases[key]
            return True
        self._keep(case, item, now)
        return False

    def unanswered(self, key: Hashable, item: T, now: float) -> None:
        """The model gave no answer in time: no evidence, however often. The item is kept for later."""
        case = self._cases.setdefault(key, _Case(first_failure=now))
        case.unanswered += 1
        self._keep(case, item, now)

    def cleared(self, key: Hashable) -> None:
        """The picture was answered after all."""
        self._cases.pop(key, None)

    def take_due(self, now: float) -> list[T]:
        """The items to try again now."""
        due = []
        while self._due and self._due[0][0] <= now:
            due.append(heapq.heappop(self._due)[2])
        return due

    def next_due(self) -> float | None:
        """When the next item is due, or None."""
        return self._due[0][0] if self._due else None

    def _keep(self, case: _Case, item: T, now: float) -> None:
        doublings = min(_DOUBLINGS, case.failures + case.unanswered - 1)
        self._sequence += 1
        heapq.heappush(
            self._due, (now + min(LONGEST_DELAY, FIRST_DELAY * 2**doublings), self._sequence, item)
        )
