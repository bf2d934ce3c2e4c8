"""When to scan: pure."""


class Rounds:
    """Scans are spaced so that they take at most a tenth of the time. Times are monotonic seconds.

    A full scan is due at first, `interval` after the last one, and when `everything` was called; a scan of
    some folders when `some` was called.
    """

    SHARE = 0.1
    LEAST_PAUSE = 0.02

    def __init__(self, interval: float) -> None:
        self._interval = interval
        self._full_at = float("-inf")
        self._some = False
        self._not_before = float("-inf")

    def everything(self, at: float = float("-inf")) -> None:
        """Something may have been missed anywhere: a full scan is due by then."""
        self._full_at = min(self._full_at, at)

    def some(self) -> None:
        """Some folders are dirty."""
        self._some = True

    def due(self) -> float:
        """When the next scan is to start."""
        return max(self._not_before, float("-inf") if self._some else self._full_at)

    def full(self, at: float) -> bool:
        """Whether the scan that starts now is to be a full one."""
        return at >= self._full_at

    def scanned(self, full: bool, began: float, ended: float) -> None:
        """A scan is over."""
        pause = max((ended - began) * (1 / self.SHARE - 1), self.LEAST_PAUSE)
        self._not_before = ended + pause
        self._some = False
        if full:
            self._full_at = ended + self._interval
