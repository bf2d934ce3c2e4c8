"""The gate: walks a JPEG's markers before it is queued; decodes nothing."""

from dataclasses import dataclass

from classifyd.core.values import Rejected


@dataclass(frozen=True, slots=True)
class Limits:
    """What a picture may cost: encoded bytes, pixels of the frame, scans."""

    max_bytes: int = 64 * 2**20
    max_pixels: int = 128_000_000
    max_scans: int = 64


@dataclass(frozen=True, slots=True)
class Inspection:
    """What the markers tell: dimensions in pixels (None without a frame) and the refusal, if any.

    A refusal for `Reason.TRUNCATED` means that everything so far was in order and the end is missing:
    the rest may still come.
    """

    width: int | None
    height: int | None
    refusal: Rejected | None


def inspect(data: bytes, limits: Limits) -> Inspection:
    """Inspects a whole encoded picture."""
    raise NotImplementedError
