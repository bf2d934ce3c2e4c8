"""The files that were seen and are not taken yet, by when they may be tried."""

import heapq
from collections.abc import Iterator

from classifyd.sources.folder.files import Fingerprint
from classifyd.sources.folder.readiness import Patience, Readiness


class Candidates:
    """Passive and limited: what does not fit is found again by a later scan.

    Paths are relative to the inbox, times monotonic.
    """

    def __init__(self, patience: Patience, limit: int) -> None:
        self._patience = patience
        self._limit = limit
        self._known: dict[str, Readiness] = {}
        self._not_before: dict[str, float] = {}
        self._queue: list[tuple[float, str]] = []
        self._queued: dict[str, float] = {}  # which entry of the queue stands; all others are stale

    def __len__(self) -> int:
        return len(self._known)

    def __contains__(self, relative: object) -> bool:
        return relative in self._known

    @property
    def full(self) -> bool:
        """Whether a scan should leave the rest for later. What was put off does not count, or a folder of
        unreadable files would keep all others out."""
        return len(self._known) - len(self._not_before) >= self._limit

    @property
    def roomy(self) -> bool:
        """Whether half of the room is free again."""
        return len(self._known) - len(self._not_before) <= self._limit // 2

    def saw(self, relative: str, seen: Fingerprint, at: float, closed: bool = False) -> None:
        """A look at a file, old or new."""
        known = self._known.get(relative)
        if known and known.seen != seen:
            self._not_before.pop(relative, None)  # another file, or another content: worth a try
        self._keep(relative, known.observe(seen, at, closed) if known else Readiness(seen, at, closed))

    def found_incomplete(self, relative: str) -> None:
        """It was read, and its end was missing."""
        self._keep(relative, self._known[relative].found_incomplete())

    def postpone(self, relative: str, until: float) -> None:
        """It could not be read: not to be tried before then."""
        self._not_before[relative] = until
        self._keep(relative, self._known[relative])

    def drop(self, relative: str) -> None:
        """It is taken, or gone."""
        self._known.pop(relative, None)
        self._not_before.pop(relative, None)
        self._queued.pop(relative, None)

    def next_due(self) -> float | None:
        """When the next file may be tried, or None."""
        while self._queue:
            moment, relative = self._queue[0]
            if self._queued.get(relative) == moment:
                return moment
            heapq.heappop(self._queue)
        return None

    def due(self, at: float) -> Iterator[tuple[str, Readiness]]:
        """Those that may be tried, longest due first. Every one is to be reported back by one of the other
        methods, or it is not offered again."""
        while (moment := self.next_due()) is not None and moment <= at:
            relative = heapq.heappop(self._queue)[1]
            del self._queued[relative]
            yield relative, self._known[relative]

    def retry(self, relative: str) -> None:
        """It was due and could not be taken for want of credit: it stays due."""
        self._keep(relative, self._known[relative])

    def _keep(self, relative: str, readiness: Readiness) -> None:
        self._known[relative] = readiness
        moment = max(readiness.due(self._patience), self._not_before.get(relative, 0.0))
        if self._queued.get(relative) != moment:
            self._queued[relative] = moment
            heapq.heappush(self._queue, (moment, relative))
