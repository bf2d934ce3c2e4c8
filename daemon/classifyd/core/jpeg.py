"""The markers of a JPEG, walked in one way by the gate and the embedded engine: were there two, a file could
show each of them other dimensions. Markers and segments: ITU-T T.81, annex B.
"""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass

START = b"\xff\xd8\xff"
"""The bytes that every JPEG starts with: SOI, and the first byte of another marker."""

EOI, SOS = 0xD9, 0xDA
FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # less DHT, JPG and DAC
_LOSSLESS = frozenset((0xC3, 0xC7, 0xCB, 0xCF))

_SOI, _APP14 = 0xD8, 0xEE
_ADOBE_LENGTH = 12  # of Adobe's segment; libjpeg takes a shorter one for another's
_FRAME_START = struct.Struct(">BHHB")  # precision, height, width, number of components

# The next marker that starts a segment or is SOI or EOI. Stuffed zeros, fill bytes, restart markers and
# reserved ones are passed over, as is junk between segments, which decoders pass over too.
_MARKER = re.compile(rb"\xff([\xc0-\xcf\xd8-\xfe])")


class Incomplete(ValueError):
    """The end is missing and everything so far was in order: the rest may still come."""


class Malformed(ValueError):
    """The bytes are no JPEG's."""


@dataclass(frozen=True, slots=True)
class Frame:
    """What the frame header tells: bits of a sample, dimensions in pixels, number of components."""

    precision: int
    height: int
    width: int
    components: int


@dataclass(frozen=True, slots=True)
class Head:
    """What comes before the picture data: the frame, whether its samples are coded without loss, that is
    without a DCT, and whether Adobe's marker is there, which tells that CMYK values are inverted."""

    frame: Frame
    lossless: bool
    adobe: bool


def segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The marker code and the body of each segment, up to and with the end marker. Raises Incomplete where
    the data end before it, Malformed where they cannot go on."""
    position = 2
    while True:
        marker = _MARKER.search(data, position)
        if marker is None:
            raise Incomplete(f"The picture stops after {len(data):,} bytes, before its end.")
        code, position = marker[1][0], marker.end()
        if code == EOI:
            yield code, b""
            return
        if code == _SOI:
            raise Malformed(f"At byte {position - 2:,} another picture starts within it.")
        length = int.from_bytes(data[position : position + 2])
        if position + max(length, 2) > len(data):
            raise Incomplete(f"The picture stops after {len(data):,} bytes, in a segment.")
        if length < 2:
            raise Malformed(f"The segment at byte {position - 2:,} has no possible length.")
        yield code, data[position + 2 : position + length]
        position += length


def read_frame(header: bytes) -> Frame:
    """The frame of a frame header's body. Raises Malformed when it is too short."""
    if len(header) < _FRAME_START.size:
        raise Malformed("The frame header is too short.")
    return Frame(*_FRAME_START.unpack_from(header))


def read_head(data: bytes) -> Head:
    """What comes before the first scan. Raises Malformed or Incomplete where that is not in order."""
    if not data.startswith(START):
        raise Malformed("It does not start as a JPEG does.")
    frame, lossless, adobe = None, False, False
    for code, body in segments(data):
        if code in FRAMES and frame is not None:
            raise Malformed("It has several frames.")
        if code in FRAMES:
            frame, lossless = read_frame(body), code in _LOSSLESS
        elif code == _APP14:
            adobe = adobe or (body.startswith(b"Adobe") and len(body) >= _ADOBE_LENGTH)
        elif code in (SOS, EOI):
            break
    if frame is None:
        raise Malformed("It has no dimensions.")
    return Head(frame, lossless, adobe)
