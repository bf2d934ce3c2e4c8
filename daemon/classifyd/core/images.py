"""From bytes that were read to an image that can be delivered."""

import hashlib
from datetime import datetime

from classifyd.core.gate import Inspection, Limits, inspect
from classifyd.core.values import Image, Origin, Record, Rejected


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
        sha256=hashlib.sha256(data).hexdigest(),
        size_bytes=len(data),
        width=inspection.width,
        height=inspection.height,
        received_at=received_at,
        traceparent=traceparent,
        record=record,
    )
