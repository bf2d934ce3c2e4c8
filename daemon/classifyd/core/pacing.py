"""How whoever works on a backlog makes room for requests: a passive count of work and rest."""


class Pace:
    """Rests as long as the work took. Moments are seconds on one clock, which is passed in.

    A piece of work counts as `longest` at most: what took longer was mostly waiting. Rests below `shortest`
    are saved up, since falling asleep and waking up is work too.
    """

    def __init__(self, shortest: float, longest: float) -> None:
        self._shortest = shortest
        self._longest = longest
        self._begun: float | None = None
        self._owed = 0.0

    def begin(self, now: float) -> None:
        """A piece of work begins."""
        self._begun = now

    def rest(self, now: float) -> float:
        """It has ended: for how many seconds to rest from it now, and from what is owed for earlier ones."""
        if self._begun is not None:
            self._owed += min(now - self._begun, self._longest)
            self._begun = None
        if self._owed < self._shortest:
            return 0.0
        owed, self._owed = self._owed, 0.0
        return owed
