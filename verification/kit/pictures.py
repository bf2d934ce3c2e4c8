"""Small JPEGs, sound and broken, and pictures as sources bring them."""

import hashlib
import io
from datetime import UTC, datetime
from typing import Any

from PIL import Image as Picture

from classifyd.core.values import Image, Origin, Source


def jpeg(colour: str, size: tuple[int, int] = (32, 32), mode: str = "RGB", **options: Any) -> bytes:
    """A JPEG of one colour; `options` are Pillow's (progressive, quality, ...)."""
    encoded = io.BytesIO()
    Picture.new("RGB", size, colour).convert(mode).save(encoded, "JPEG", **options)
    return encoded.getvalue()


def without_segment(data: bytes, marker: int) -> bytes:
    """A JPEG less every segment of a marker (0xDB: quantisation tables, without which none can decode it)."""
    kept, position = bytearray(data[:2]), 2
    while data[position + 1] != 0xDA:
        end = position + 2 + int.from_bytes(data[position + 2 : position + 4])
        if data[position + 1] != marker:
            kept += data[position:end]
        position = end
    return bytes(kept + data[position:])


def image(data: bytes, name: str = "picture.jpg") -> Image:
    """A picture as a source brings it."""
    return Image(
        origin=Origin(Source.HTTP, key=f"http:{name}", name=name),
        data=data,
        sha256=hashlib.sha256(data).hexdigest(),
        size_bytes=len(data),
        width=None,
        height=None,
        received_at=datetime(2026, 1, 1, tzinfo=UTC),
    )
