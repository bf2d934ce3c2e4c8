"""The thread that carries out settlements: moves, deletes, and gives the credits back."""

import errno
import heapq
import itertools
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace

from classifyd.core.names import encode_path
from classifyd.core.values import Result, Settlement
from classifyd.sources.folder.claims import Taken
from classifyd.sources.folder.health import Health
from classifyd.sources.folder.settling import Settler
from classifyd.sources.folder.shelf import Shelf
from classifyd.sources.folder.underway import UnderWay

FIRST_RETRY = 0.5
LONGEST_RETRY = 30.0
"""Seconds between tries to put one file away; doubled from the first to the longest."""

_LONG = 60.0
_SUBJECT = "mover"
_RIGHTS = "give the daemon's user the right to write in done, failed and the inbox"
_REMEDIES = {
    errno.ENOSPC: "free space on that disk",
    errno.EDQUOT: "free space, or raise the quota",
    errno.EROFS: "mount that disk writable",
    errno.EACCES: _RIGHTS,
    errno.EPERM: _RIGHTS,
}


@dataclass(frozen=True, slots=True)
class Settled:
    """A file whose delivery has ended. `credit` is what was reserved for it in bytes, or None."""

    taken: Taken
    settlement: Settlement
    credit: int | None
    failures: int = 0


class Mover:
    """A service. What cannot be carried out now (a full disk, a folder without rights) keeps its credit and
    is tried again, so that nothing more is taken in than can be put away.

    `release` gives credit back. With `tries` it gives up on a file after so many.
    """

    def __init__(
        self,
        settler: Settler,
        shelf: Shelf,
        health: Health,
        release: Callable[[int], None],
        under_way: UnderWay,
        tries: int | None = None,
    ) -> None:
        self._settler = settler
        self._shelf = shelf
        self._health = health
        self._release = release
        self._under_way = under_way
        self._tries = tries
        self._changed = threading.Condition()
        self._posted: deque[Settled] = deque()  # limited by the credits
        self._retries: list[tuple[float, int, Settled]] = []  # limited by the credits
        self._order = itertools.count()
        self._stopped = False
        self._ended = threading.Event()

    @property
    def name(self) -> str:
        return "folder-mover"

    def post(self, taken: Taken, settlement: Settlement, credit: int | None = None) -> None:
        """A delivery has ended. Never blocks."""
        with self._changed:
            self._posted.append(Settled(taken, settlement, credit))
            self._changed.notify()

    def run(self) -> None:
        try:
            self._work()
        finally:
            self._ended.set()

    def wait_until_ended(self, seconds: float) -> None:
        """Waits until `run` has returned, `seconds` at most."""
        self._ended.wait(seconds)

    def stop(self) -> None:
        """Ends with what was posted so far; what fails stays claimed, and is settled at the next start."""
        with self._changed:
            self._stopped = True
            self._changed.notify()

    def _work(self) -> None:
        while (settled := self._next()) is not None:
            if settled.settlement.result is None:
                self._shelf.forget(settled.taken)
                self._give_back(settled)
                self._under_way.came_back(settled.taken)
            else:
                self._carry_out(settled, settled.settlement.result)

    def _next(self) -> Settled | None:
        with self._changed:
            while True:
                if self._posted:
                    return self._posted.popleft()
                if self._stopped:
                    return None
                wait = self._retries[0][0] - time.monotonic() if self._retries else _LONG
                if wait <= 0:
                    return heapq.heappop(self._retries)[2]
                self._changed.wait(wait)

    def _carry_out(self, settled: Settled, result: Result) -> None:
        try:
            self._settler.settle(settled.taken, result)
        except OSError as error:
            self._failed(replace(settled, failures=settled.failures + 1), error)
            return
        if settled.failures and not self._retries:
            self._health.well(_SUBJECT)
        self._end(settled, handled=True)

    def _failed(self, settled: Settled, error: OSError) -> None:
        self._health.ill(_SUBJECT, _advice(settled.taken, error))
        if self._tries is not None and settled.failures >= self._tries:
            self._end(settled, handled=False)
            return
        delay = min(LONGEST_RETRY, FIRST_RETRY * 2 ** min(settled.failures - 1, 16))
        heapq.heappush(self._retries, (time.monotonic() + delay, next(self._order), settled))

    def _end(self, settled: Settled, handled: bool) -> None:
        self._shelf.forget(settled.taken)
        self._give_back(settled)
        self._under_way.finished(settled.taken, handled)

    def _give_back(self, settled: Settled) -> None:
        if settled.credit is not None:
            self._release(settled.credit)


def _advice(taken: Taken, error: OSError) -> str:
    what = f"cannot put away {encode_path(taken.path)}: {error.strerror}"
    if error.filename2 or error.filename:
        what += f" ({encode_path(error.filename2 or error.filename)})"
    remedy = _REMEDIES.get(error.errno or 0, "it is tried again by itself")
    return f"{what}; {remedy}"
