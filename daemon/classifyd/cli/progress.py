"""How far the daemon is, in one line: pure text and arithmetic."""

from collections import deque

from classifyd.core.values import Progress


class Rate:
    """Pictures per second over the last `window` seconds."""

    def __init__(self, window: float = 5.0) -> None:
        self._window = window
        self._seen: deque[tuple[float, int]] = deque()

    def update(self, now: float, count: int) -> float:
        """Takes the count at a moment (monotonic seconds); returns the rate."""
        self._seen.append((now, count))
        while len(self._seen) > 2 and self._seen[1][0] <= now - self._window:
            self._seen.popleft()
        since, before = self._seen[0]
        return (count - before) / (now - since) if now > since else 0.0


def ended(progress: Progress) -> int:
    """How many pictures have an outcome."""
    return progress.done + progress.rejected


def known(progress: Progress) -> int:
    """How many pictures are known of, with or without an outcome."""
    return progress.waiting + progress.in_flight + ended(progress)


def line(progress: Progress, rate: float) -> str:
    """The live line: waiting, in flight, done, rejected, pictures per second."""
    return (
        f"waiting {progress.waiting:,} · in flight {progress.in_flight:,} · done {progress.done:,} · "
        f"rejected {progress.rejected:,} · {rate:,.1f} pictures/s"
    )
