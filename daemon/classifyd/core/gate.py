"""The gate: walks a JPEG's markers before it is queued; decodes nothing.

It is no validator: it refuses what cannot be decoded as a JPEG, what has no end, and what would cost too
much, and leaves every doubt to the engine (rotten entropy-coded data, arithmetic coding, twelve bits).
"""

import re
from dataclasses import dataclass

from classifyd.core import jpeg
from classifyd.core.values import Reason, Rejected

SCANS_AT_MAX_PIXELS = 16
"""How many scans a picture of `Limits.max_pixels` may have; smaller ones have accordingly more, up to
`Limits.max_scans`. Decoding costs scans times pixels, some 0.8 s for each 10^9; progressive JPEGs of the
common encoders have about 10 scans."""

MAX_SEGMENTS = 65_536
"""How many segments a picture may have: it bounds the walk to some 30 ms. Real ones have up to a few
thousand (colour profiles and depth maps, in pieces of 64 KiB)."""

_OTHER_FORMATS = (
    (re.compile(rb"\x89PNG"), "a PNG"),
    (re.compile(rb"GIF8"), "a GIF"),
    (re.compile(rb"BM"), "a BMP"),
    (re.compile(rb"II\*\0|MM\0\*"), "a TIFF or a camera's raw file"),
    (re.compile(rb"RIFF....WEBP", re.DOTALL), "a WebP"),
    (re.compile(rb"....ftyp(?:hei|hev|mif|msf)", re.DOTALL), "a HEIF"),
    (re.compile(rb"....ftypavi", re.DOTALL), "an AVIF"),
    (re.compile(rb"....ftyp", re.DOTALL), "a film"),
    (re.compile(rb"\0\0\0\x0cJXL |\xff\x0a"), "a JPEG XL"),
    (re.compile(rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51"), "a JPEG 2000"),
    (re.compile(rb"%PDF"), "a PDF"),
    (re.compile(rb"[\t\n\r -~]{1,64}"), "text"),
)


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
    """Inspects a whole encoded picture. Bytes after its end marker are allowed (MPO, motion photos)."""
    walk = _Walk(limits)
    refusal = None
    try:
        _look(data, limits)
        for code, body in jpeg.segments(data):
            walk.take(code, body)
    except _Refused as refused:
        refusal = refused.rejected
    except jpeg.Incomplete as error:
        refusal = Rejected(Reason.TRUNCATED, str(error))
    except jpeg.Malformed as error:
        refusal = Rejected(Reason.NOT_A_JPEG, str(error))
    return Inspection(walk.width, walk.height, refusal)


def oversized(size: int, limits: Limits) -> Rejected:
    """The refusal of a picture of `size` bytes, more than `limits.max_bytes`."""
    return Rejected(
        Reason.TOO_LARGE, f"The picture has {size:,} bytes; limits.max_bytes allows {limits.max_bytes:,}."
    )


class _Refused(Exception):
    def __init__(self, reason: Reason, detail: str) -> None:
        self.rejected = Rejected(reason, detail)


def _look(data: bytes, limits: Limits) -> None:
    if not data:
        raise _Refused(Reason.EMPTY, "The picture has no bytes.")
    if len(data) > limits.max_bytes:
        raise _Refused(Reason.TOO_LARGE, oversized(len(data), limits).detail)
    if jpeg.START.startswith(data[:3]):
        return
    if not any(data[:16]):  # what an upload has set aside and not yet filled
        raise _Refused(Reason.TRUNCATED, "The picture starts with zeros instead of its first bytes.")
    kind = next((name for signature, name in _OTHER_FORMATS if signature.match(data)), "of an unknown format")
    raise _Refused(Reason.NOT_A_JPEG, f"The file is {kind}, not a JPEG.")


class _Walk:
    """What the segments have told so far."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._segments = 0
        self._scans = 0
        self.width: int | None = None
        self.height: int | None = None

    def take(self, code: int, body: bytes) -> None:
        self._segments += 1
        if self._segments > MAX_SEGMENTS:
            raise _Refused(Reason.TOO_COMPLEX, f"The picture has more than {MAX_SEGMENTS:,} segments.")
        if code in jpeg.FRAMES:
            self._take_frame(body)
        elif code == jpeg.SOS:
            self._take_scan()
        elif code == jpeg.EOI and not self._scans:
            raise _Refused(Reason.NOT_A_JPEG, "The file starts and ends like a JPEG but holds no picture.")

    def _take_frame(self, header: bytes) -> None:
        if self.width is not None:
            raise _Refused(Reason.UNDECODABLE, "The JPEG has several frames, which decoders do not take.")
        frame = jpeg.read_frame(header)
        width, height = self.width, self.height = frame.width, frame.height
        if not width * height:  # a height may be told after the first scan (DNL): decoders do not take it
            raise _Refused(Reason.UNDECODABLE, f"The JPEG's frame measures {width} × {height} pixels.")
        if width * height > self._limits.max_pixels:
            raise _Refused(
                Reason.TOO_LARGE,
                f"The picture has {width:,} × {height:,} pixels; "
                f"limits.max_pixels allows {self._limits.max_pixels:,}.",
            )

    def _take_scan(self) -> None:
        if self.width is None or self.height is None:
            raise _Refused(Reason.NOT_A_JPEG, "The file has picture data before any dimensions.")
        self._scans += 1
        pixels, limits = self.width * self.height, self._limits
        allowed = min(limits.max_scans, SCANS_AT_MAX_PIXELS * limits.max_pixels // pixels)
        if self._scans > allowed:
            raise _Refused(
                Reason.TOO_COMPLEX,
                f"The picture has more than {allowed} scans, all that limits.max_scans and limits.max_pixels "
                f"allow for {self.width:,} × {self.height:,} pixels.",
            )
