"""Exponential backoff with full jitter on the upper half, so that many clients do not retry in step."""

from collections.abc import Callable
from random import random


class Backoff:
    """Delays that double from `first` to `longest` seconds until `reset`.

    Each is drawn between half of its step and the whole of it; `draw` gives 0..1.
    """

    def __init__(self, first: float, longest: float, draw: Callable[[], float] = random) -> None:
        self._first = first
        self._longest = longest
        self._draw = draw
        self._step = first

    def next(self, at_least: float = 0.0) -> float:
        """Seconds to wait before the next try; never below `at_least` (a server's Retry-After)."""
        step = self._step
        self._step = min(self._longest, step * 2)
        return max(at_least, step * (0.5 + 0.5 * self._draw()))

    def reset(self) -> None:
        """It worked: the next delay is the first again."""
        self._step = self._first
