"""Taking one file: read, gate, claim."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from classifyd.core.gate import Inspection, Limits, inspect
from classifyd.core.images import image_of
from classifyd.core.values import Image, Origin, Reason, Rejected
from classifyd.crashpoints import Point, reached
from classifyd.sources.folder.claims import Taken
from classifyd.sources.folder.files import FileChanged, Fingerprint, glance, read

_MAY_STILL_COME = {Reason.TRUNCATED, Reason.EMPTY}


class StillIncomplete(Exception):
    """The end is missing and may still come: a paused upload is not a truncated file."""


class ChangedInClaim(Exception):
    """Somebody wrote to the file while it was being claimed: what was read is not what was taken."""

    def __init__(self, taken: Taken) -> None:
        super().__init__(taken.key)
        self.taken = taken


@dataclass(frozen=True, slots=True)
class Picture:
    """A file that is taken, as it was read."""

    taken: Taken
    image: Image
    refusal: Rejected | None


class Taker:
    """Reads files within limits. `clock` tells the time in UTC."""

    def __init__(self, limits: Limits, clock: Callable[[], datetime]) -> None:
        self._limits = limits
        self._clock = clock

    def credit(self, seen: Fingerprint) -> int:
        """How many bytes will be held for this file: none of one that is too large, or UNKNOWN."""
        return seen.size if 0 <= seen.size <= self._limits.max_bytes else 0

    def take(
        self, path: str, seen: Fingerprint, condemnable: Callable[[], bool], claim: Callable[[], Taken]
    ) -> Picture:
        """Reads a file that is as `seen`, then claims it.

        It is read before, so that a paused upload stays where its writer looks for it; whether it is still
        as it was seen is looked at in the end, where it lies then. Raises FileChanged, StillIncomplete
        (unless `condemnable`), ChangedInClaim, and OSError when it cannot be read or claimed.
        """
        data = read(path, seen, self._limits.max_bytes)
        inspection = self._inspect(data, seen)
        refusal = inspection.refusal
        if refusal is not None and refusal.reason in _MAY_STILL_COME and not condemnable():
            raise StillIncomplete
        reached(Point.FILE_READ)
        taken = claim()
        if glance(taken.path) != seen:
            raise ChangedInClaim(taken) if taken.claimed else FileChanged
        return Picture(taken, self._image(taken.origin, data, seen, inspection), refusal)

    def _inspect(self, data: bytes, seen: Fingerprint) -> Inspection:
        if seen.size <= self._limits.max_bytes:
            return inspect(data, self._limits)
        detail = f"{seen.size} bytes are more than limits.max_bytes ({self._limits.max_bytes})"
        return Inspection(None, None, Rejected(Reason.TOO_LARGE, detail))

    def _image(self, origin: Origin, data: bytes, seen: Fingerprint, inspection: Inspection) -> Image:
        if seen.size <= self._limits.max_bytes:
            return image_of(origin, data, inspection, self._clock())
        return Image(
            origin=origin,
            data=b"",
            sha256=None,
            size_bytes=seen.size,
            width=None,
            height=None,
            received_at=self._clock(),
        )
