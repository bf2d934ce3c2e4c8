"""When a file is whole enough to be read: pure."""

from dataclasses import dataclass, replace

from classifyd.sources.folder.files import Fingerprint


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a file must stand still, in seconds: before it is read, and before it is condemned for a
    missing end (a paused upload is not a truncated file)."""

    settle_time: float
    incomplete_timeout: float


@dataclass(frozen=True, slots=True)
class Readiness:
    """What is known of one file's coming to rest. `since` is monotonic: when it was first seen like this.

    `closed`: its writer was seen to close it, or to move it into place whole, like this.
    `incomplete`: it was read like this and its end was missing.
    """

    seen: Fingerprint
    since: float
    closed: bool = False
    incomplete: bool = False

    def observe(self, seen: Fingerprint, at: float, closed: bool = False) -> "Readiness":
        """After another look: a file that changed starts again."""
        if seen != self.seen:
            return Readiness(seen, at, closed)
        return replace(self, closed=self.closed or closed)

    def found_incomplete(self) -> "Readiness":
        """After it was read and its end was missing."""
        return replace(self, incomplete=True)

    def due(self, patience: Patience) -> float:
        """The monotonic time from which it may be read."""
        if self.incomplete:
            return self.since + max(patience.settle_time, patience.incomplete_timeout)
        return self.since if self.closed else self.since + patience.settle_time

    def condemnable(self, at: float, patience: Patience) -> bool:
        """Whether it stood still for so long that what is missing will not come."""
        return at - self.since >= patience.incomplete_timeout
