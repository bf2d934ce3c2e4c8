"""Which files are under way: begun by the source's thread, ended by the mover's."""

import threading
from collections import Counter
from collections.abc import Callable

from classifyd.sources.folder.claims import Taken

FIRST_RETRY = 0.5
LONGEST_RETRY = 30.0
"""Seconds before a file that was handed back is offered again; doubled from the first to the longest."""


class UnderWay:
    """Limited by the credits. Safe from any thread; `wake` is called when a file came back, and when the last
    one ended."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._lock = threading.Lock()
        self._keys: set[str] = set()
        self._of_claim: Counter[str] = Counter()
        self._returned: list[Taken] = []
        self._failures: dict[str, int] = {}
        self.given_up = 0
        """Files that were recorded and could not be put where they belong."""

    def __len__(self) -> int:
        return len(self._keys)

    def __contains__(self, key: object) -> bool:
        return key in self._keys

    def keys(self) -> frozenset[str]:
        """The origin keys of what is under way now."""
        with self._lock:
            return frozenset(self._keys)

    def begin(self, taken: Taken) -> None:
        """It is being offered, or settled."""
        with self._lock:
            self._keys.add(taken.key)
            self._of_claim[taken.claim] += 1

    def finished(self, taken: Taken, handled: bool) -> None:
        """It is settled; `handled` tells whether it was put where it belongs."""
        with self._lock:
            self._discard(taken)
            self._failures.pop(taken.key, None)
            self.given_up += not handled
            last = not self._keys
        if last:
            self._wake()

    def came_back(self, taken: Taken) -> None:
        """It is to be offered again."""
        with self._lock:
            self._returned.append(taken)
            self._failures[taken.key] = self._failures.get(taken.key, 0) + 1
        self._wake()

    def take_back(self) -> list[tuple[Taken, float]]:
        """What came back, with the seconds to wait before it is offered again; no longer under way."""
        with self._lock:
            returned, self._returned = self._returned, []
            for taken in returned:
                self._discard(taken)
            return [(taken, _delay(self._failures[taken.key])) for taken in returned]

    def last_of_claim(self, taken: Taken) -> bool:
        """Whether it is the only one of its claim that is under way."""
        with self._lock:
            return self._of_claim[taken.claim] <= 1

    def _discard(self, taken: Taken) -> None:
        self._keys.discard(taken.key)
        self._of_claim[taken.claim] -= 1
        if not self._of_claim[taken.claim]:
            del self._of_claim[taken.claim]


def _delay(failures: int) -> float:
    return float(min(LONGEST_RETRY, FIRST_RETRY * 2 ** min(failures - 1, 16)))
