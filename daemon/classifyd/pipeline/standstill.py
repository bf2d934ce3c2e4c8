"""When a single run gets no further: pure."""


class Standstill:
    """Lasts while something is in the way (a picture under way, a part that is down) and no picture is
    settled. Times are monotonic seconds; `bound` is how long it may last.

    Waiting for a file to become ready is none: that ends by itself.
    """

    def __init__(self, bound: float, now: float) -> None:
        self._bound = bound
        self._since = now
        self._settled = 0

    def too_long(self, settled: int, hindered: bool, now: float) -> bool:
        """To be asked again and again: with the pictures settled so far, and whether something is in the
        way."""
        if not hindered or settled != self._settled:
            self._since, self._settled = now, settled
        return now - self._since >= self._bound
