"""Keeps a flood of rejections from flooding the log."""

from collections import Counter

NAMED_A_MINUTE = 10


class Grouping:
    """Says which of many like events are named one by one, and counts the others by reason.

    Passive: `close` is called at the end of each minute.
    """

    def __init__(self, named: int = NAMED_A_MINUTE) -> None:
        self._limit = named
        self._named = 0
        self._grouped: Counter[str] = Counter()

    def admit(self, reason: str) -> bool:
        """Whether this event is still to be named; otherwise it is counted."""
        if self._named < self._limit:
            self._named += 1
            return True
        self._grouped[reason] += 1
        return False

    def close(self) -> dict[str, int]:
        """How many were not named, by reason; begins the next minute."""
        grouped = dict(self._grouped)
        self._named = 0
        self._grouped.clear()
        return grouped
