"""The pace of a load: what its driver and its feeder share, one in each process."""

import math
import time
from collections.abc import Iterator
from multiprocessing.context import SpawnContext

WINDOW = 400
"""Pictures that a feeder in a closed loop has under way at once: enough for full batches."""

_LOOK = 0.005  # seconds between looks at what has changed


class Pace:
    """At rest, in a closed loop, or open: so many a second, whatever becomes of them."""

    def __init__(self, context: SpawnContext) -> None:
        self._rate = context.Value("d", 0.0)
        self._fed = context.Value("q", 0)
        self._done = context.Value("q", 0)
        self._ended = context.Event()

    # The driver's side.

    def rest(self) -> None:
        """Nothing more is put in for now."""
        self._rate.value = 0.0

    def close_loop(self) -> None:
        """As fast as it is worked off: `done` has to be told."""
        self._rate.value = math.inf

    def open_loop(self, rate: float) -> None:
        """`rate` a second."""
        self._rate.value = rate

    def done(self, count: int) -> None:
        """How many of those that were put in have an outcome."""
        self._done.value = count

    def end(self) -> None:
        """The feeder is to end."""
        self._ended.set()

    # The feeder's side.

    @property
    def fed(self) -> int:
        """How many were put in that must have an outcome in the end."""
        return int(self._fed.value)

    def count(self, number: int = 1) -> None:
        """So many more were put in."""
        with self._fed:
            self._fed.value += number

    def turns(self, feeders: int = 1) -> Iterator[float]:
        """Gives the moment (wall clock) at which the next picture is due, once it is due, until the end.
        `feeders` share the pace. Moments that were missed are made up for: the load stays what it is.
        """
        due = time.monotonic()
        while not self._ended.is_set():
            rate = self._rate.value / feeders
            waits = rate == 0.0 or (rate == math.inf and self.fed - self._done.value >= WINDOW)
            if waits or rate == math.inf:
                due = time.monotonic()
            if waits:
                time.sleep(_LOOK)
                continue
            due += 1 / rate
            left = due - time.monotonic()
            if left > 0:
                time.sleep(left)
            yield time.time() - max(0.0, time.monotonic() - due)
