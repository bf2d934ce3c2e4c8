"""The sound pictures from which mutants are made: small ones of every kind that a JPEG comes in."""

import io
import random
import struct
from collections.abc import Mapping
from typing import Any

from PIL import Image as Picture
from PIL import ImageFilter

_ARITHMETIC, _LOSSLESS = {0xC0: 0xC9, 0xC2: 0xCA}, {0xC0: 0xC3}  # codes of frames: T.81, table B.1


def corpus() -> Mapping[str, bytes]:
    """Pictures by name; the same bytes in every process with the same Pillow."""
    grey, colour, ink = (_texture(mode, (40, 24), seed) for seed, mode in enumerate(("L", "RGB", "CMYK")))
    baseline = _encoded(colour, quality=60)
    progressive = _encoded(colour, progressive=True, quality=80)
    thumbnail = _encoded(_texture("RGB", (16, 16), 9), quality=30)
    return {
        "baseline": baseline,
        "progressive": progressive,
        "progressive grey": _encoded(grey, progressive=True),
        "progressive CMYK": _encoded(ink, progressive=True),
        "grey": _encoded(grey),
        "CMYK of Adobe": _encoded(ink),
        "CMYK": _without(_encoded(ink), 0xEE),
        "YCCK": _encoded(ink).replace(b"Adobe\0\x64\0\0\0\0\0", b"Adobe\0\x64\0\0\0\0\2"),
        "RGB of Adobe": _encoded(colour, keep_rgb=True),
        "4:4:4": _encoded(colour, subsampling=0),
        "4:2:2": _encoded(colour, subsampling=1),
        "4:2:0": _encoded(colour, subsampling=2),
        "4:1:0 by its header": _sampled(_encoded(colour, subsampling=2), 0x42),
        "3 by 3 by its header": _sampled(baseline, 0x33),
        "restarts": _encoded(colour, restart_marker_blocks=1),
        "restarts each row, progressive": _encoded(colour, restart_marker_rows=1, progressive=True),
        "quantisation in 16 bits": _with_wide_tables(baseline),
        "arithmetic by its header": _coded(baseline, _ARITHMETIC),
        "arithmetic progressive by its header": _coded(progressive, _ARITHMETIC),
        "lossless by its header": _coded(baseline, _LOSSLESS),
        "12 bits by its header": baseline.replace(b"\xff\xc0\0\x11\x08", b"\xff\xc0\0\x11\x0c"),
        "orientation and thumbnail": _encoded(colour, exif=_exif(6, thumbnail)),
        "colour profile": _encoded(colour, icc_profile=random.Random(1).randbytes(1500)),
        "comment": _encoded(colour, comment=b"a comment \xff\xd9 with an end in it"),
        "two pictures (MPO)": _encoded(colour, "MPO", save_all=True, append_images=[grey.convert("RGB")]),
        "motion photo": baseline + struct.pack(">I", 24) + b"ftypmp42\0\0\0\0mp42isom" + bytes(200),
        "one pixel": _encoded(_texture("RGB", (1, 1), 3)),
        "one progressive pixel": _encoded(_texture("RGB", (1, 1), 3), progressive=True),
        "very wide": _encoded(Picture.new("L", (65_500, 1), 90)),
        "very high": _encoded(Picture.new("L", (1, 65_500), 90)),
        "65,535 wide by its header": _measured(_encoded(grey), 65_535, 1),
        "as many pixels as a header can tell": _measured(baseline, 65_535, 65_535),
    }


def _texture(mode: str, size: tuple[int, int], seed: int) -> Picture.Image:
    noise = random.Random(seed).randbytes(size[0] * size[1] * len(Picture.new(mode, (1, 1)).getbands()))
    return Picture.frombytes(mode, size, noise).filter(ImageFilter.BoxBlur(2))


def _encoded(picture: Picture.Image, form: str = "JPEG", **options: Any) -> bytes:
    encoded = io.BytesIO()
    picture.save(encoded, form, **options)
    return encoded.getvalue()


def _frame(data: bytes) -> int:
    """Where the frame's marker is."""
    return min(found for code in (0xC0, 0xC1, 0xC2) if (found := data.find(bytes([0xFF, code, 0]))) > 0)


def _patched(data: bytes, position: int, patch: bytes) -> bytes:
    return data[:position] + patch + data[position + len(patch) :]


def _coded(data: bytes, codes: Mapping[int, int]) -> bytes:
    position = _frame(data) + 1
    return _patched(data, position, bytes([codes[data[position]]]))


def _sampled(data: bytes, factors: int) -> bytes:
    return _patched(data, _frame(data) + 11, bytes([factors]))


def _measured(data: bytes, width: int, height: int) -> bytes:
    return _patched(data, _frame(data) + 5, struct.pack(">HH", height, width))


def _without(data: bytes, code: int) -> bytes:
    position = data.index(bytes([0xFF, code]))
    return data[:position] + data[position + 2 + int.from_bytes(data[position + 2 : position + 4]) :]


def _with_wide_tables(data: bytes) -> bytes:
    """Each quantisation table in 16 bits, which T.81 allows to no baseline frame: an extended one."""
    parts = data.split(b"\xff\xdb\0\x43")
    wide = b"\xff\xdb\0\x83"
    tables = (bytes([0x10 | part[0]]) + b"".join(b"\0%c" % step for step in part[1:65]) for part in parts[1:])
    rest = (part[65:] for part in parts[1:])
    widened = parts[0] + b"".join(wide + table + after for table, after in zip(tables, rest, strict=True))
    return widened.replace(b"\xff\xc0\0\x11", b"\xff\xc1\0\x11")


def _exif(orientation: int, thumbnail: bytes) -> bytes:
    """An APP1 body (Exif 2.3, little-endian TIFF): IFD0 with the orientation, IFD1 with a thumbnail."""
    first = struct.pack("<HHHIHxxI", 1, 0x0112, 3, 1, orientation, 26)
    second = struct.pack("<HHHIIHHIII", 2, 0x0201, 4, 1, 56, 0x0202, 4, 1, len(thumbnail), 0)
    return b"Exif\0\0II*\0" + struct.pack("<I", 8) + first + second + thumbnail
