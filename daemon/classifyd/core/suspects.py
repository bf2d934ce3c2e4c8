"""Pictures on which the model alone fails: tried again for an hour before one is condemned."""

import heapq
from collections.abc import Hashable
from dataclasses import dataclass

ATTEMPTS = 10
PERIOD = 3600.0
"""A picture is condemned after this many failures over at least this many seconds, each while the model
accepted a control picture."""

FIRST_DELAY = 5.0
LONGEST_DELAY = 600.0


@dataclass(slots=True)
class _Case:
    first_failure: float
    failures: int = 0
    unanswered: int = 0


class Suspects:
    """Counts failures by picture and tells when each is to be tried again. Times are monotonic seconds.

    Holds at most what is under credit, since a suspect keeps its credit while it waits.
    """

    def __init__(self) -> None:
        self._cases: dict[Hashable, _Case] = {}
        self._due: list[tuple[float, int, Hashable]] = []
        self._sequence = 0

    def failed(self, key: Hashable, now: float) -> bool:
        """Counts a failure; True when the picture is condemned now, else it is due again later."""
        case = self._cases.setdefault(key, _Case(first_failure=now))
        case.failures += 1
        if case.failures >= ATTEMPTS and now - case.first_failure >= PERIOD:
            del self._cases[key]
            return True
        self._postpone(key, now, case)
        return False

    def unanswered(self, key: Hashable, now: float) -> None:
        """The model gave no answer in time: no evidence, however often. The picture is due again later."""
        case = self._cases.setdefault(key, _Case(first_failure=now))
        case.unanswered += 1
        self._postpone(key, now, case)

    def cleared(self, key: Hashable) -> None:
        """The picture was answered after all."""
        self._cases.pop(key, None)

    def take_due(self, now: float) -> list[Hashable]:
        """The pictures to try again now; each is told once for each failure."""
        due = []
        while self._due and self._due[0][0] <= now:
            due.append(heapq.heappop(self._due)[2])
        return due

    def next_due(self) -> float | None:
        """When the next picture is due, or None."""
        return self._due[0][0] if self._due else None

    def _postpone(self, key: Hashable, now: float, case: _Case) -> None:
        delay = min(LONGEST_DELAY, FIRST_DELAY * 2 ** (case.failures + case.unanswered - 1))
        self._sequence += 1
        heapq.heappush(self._due, (now + delay, self._sequence, key))
