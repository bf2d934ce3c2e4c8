"""A bound on what concurrent decodes hold in memory."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class PixelBudget:
    """Lets decodes run at once as long as their pictures have no more than `pixels` in sum.

    A picture above the whole budget is decoded alone. Waiting ends when a decode ends; who waits for much
    room is not overtaken by those who need less.
    """

    def __init__(self, pixels: int) -> None:
        self._capacity = self._free = pixels
        self._turn = threading.Lock()
        self._freed = threading.Condition()

    @contextmanager
    def taken(self, pixels: int) -> Iterator[None]:
        """Holds room for `pixels` (at most the whole budget) while the block runs."""
        wanted = min(pixels, self._capacity)
        with self._turn, self._freed:
            self._freed.wait_for(lambda: self._free >= wanted)
            self._free -= wanted
        try:
            yield
        finally:
            with self._freed:
                self._free += wanted
                self._freed.notify()
