"""Photographs of the sizes that the figures are about, made from scikit-image's sample of a cat."""

import io
from collections.abc import Iterator
from functools import cache
from itertools import cycle
from pathlib import Path

import skimage.data
from PIL import Image

SAMPLE = "chelsea.png"
PHOTO = (387, 302)
PHOTO_BYTES = 51_000
TWELVE_MEGAPIXELS = (4000, 3000)
_COMMENT = b"\xff\xfe"


@cache
def photo() -> bytes:
    """387×302 pixels in about 51 KB."""
    qualities = (_encoded(PHOTO, quality) for quality in range(85, 101))
    return min(qualities, key=lambda data: abs(len(data) - PHOTO_BYTES))


@cache
def large_photo() -> bytes:
    """12 megapixels, as a camera makes it."""
    return _encoded(TWELVE_MEGAPIXELS, 90)


def numbered(data: bytes, count: int) -> Iterator[bytes]:
    """The picture with a comment of its own each time, so that no two are the same bytes."""
    for number in range(count):
        comment = b"%012d" % number
        length = (len(comment) + 2).to_bytes(2, "big")
        yield data[:2] + _COMMENT + length + comment + data[2:]


def write_all(folder: Path, data: bytes, count: int, per_folder: int = 1_000) -> None:
    """Writes `count` files, `per_folder` in each folder below `folder`."""
    for number, one in enumerate(numbered(data, count)):
        place = folder / f"{number // per_folder:03d}"
        if number % per_folder == 0:
            place.mkdir(parents=True)
        (place / f"{number:06d}.jpg").write_bytes(one)


def link_all(folder: Path, pictures: Path, count: int) -> None:
    """Makes `count` files in `folder`: hard links to these pictures, each as often as it takes."""
    folder.mkdir(parents=True)
    given = [path for path in pictures.rglob("*") if path.is_file()]
    for number, picture in zip(range(count), cycle(given), strict=False):
        (folder / f"{number:06d}.jpg").hardlink_to(picture)


def _encoded(size: tuple[int, int], quality: int) -> bytes:
    with Image.open(Path(skimage.data.data_dir) / SAMPLE) as picture:
        encoded = io.BytesIO()
        picture.convert("RGB").resize(size).save(encoded, "JPEG", quality=quality)
        return encoded.getvalue()
