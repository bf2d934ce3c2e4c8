"""From bytes that were read to an image that can be delivered."""

import hashlib
from datetime import datetime

from classifyd.core.gate import Inspection, Limits, inspect
from classifyd.core.values import Image, Origin, Record, Rejected

_PIECE = 1984
"""Bytes: hashlib gives the interpreter up for 2048 and more; a multiple of the hash's blocks."""
_LARGE = 256 * 2**10
"""Bytes from which a hash takes longer than it does to get the interpreter back from busy threads."""


def examine(
    origin: Origin,
    data: bytes,
    limits: Limits,
    received_at: datetime,
    traceparent: str | None = None,
    record: Record | None = None,
) -> tuple[Image, Rejected | None]:
    """Hashes and inspects a whole encoded picture: the image, and the gate's refusal if there is one."""
    inspection = inspect(data, limits)
    return image_of(origin, data, inspection, received_at, traceparent, record), inspection.refusal


def image_of(
    origin: Origin,
    data: bytes,
    inspection: Inspection,
    received_at: datetime,
    traceparent: str | None = None,
    record: Record | None = None,
) -> Image:
    """Hashes a whole encoded picture that was inspected."""
    return Image(
        origin=origin,
        data=data,
        sha256=sha256_of(data),
        size_bytes=len(data),
        width=inspection.width,
        height=inspection.height,
        received_at=received_at,
        traceparent=traceparent,
        record=record,
    )


def sha256_of(data: bytes) -> str:
    """The SHA-256 in hexadecimal. A picture of usual size keeps the interpreter: to get it back from threads
    that are busy can take ten times as long as the hash."""
    if len(data) >= _LARGE:
        return hashlib.sha256(data).hexdigest()
    hashed = hashlib.sha256()
    view = memoryview(data)
    for start in range(0, len(data), _PIECE):
        hashed.update(view[start : start + _PIECE])
    return hashed.hexdigest()
