"""From an encoded JPEG to the tensor that a model card asks for.

Decoding is libjpeg's accurate integer DCT with smooth chroma upsampling (Pillow's and TensorFlow's
`INTEGER_ACCURATE` are the same code), without EXIF orientation. Resizing is bilinear with the filter widened
by the reduction, which is `tf.image.resize(antialias=True)` but for rounding to 8 bits.
"""

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops
from PIL.JpegImagePlugin import JpegImageFile

from classifyd.core.errors import Failed
from classifyd.core.values import Reason, Rejected
from classifyd.engines.card import Preprocessing
from classifyd.engines.onnx.budget import PixelBudget

Pixels = NDArray[np.uint8]


class Pixelator:
    """Decodes and prepares pictures for one model. Safe from any thread."""

    def __init__(self, wanted: Preprocessing, budget: PixelBudget) -> None:
        self._wanted = wanted
        self._budget = budget
        deviation = np.asarray(wanted.std, np.float32)
        self._factor = np.float32(wanted.scale) / deviation
        self._offset = -np.asarray(wanted.mean, np.float32) / deviation

    def decode(self, data: bytes) -> Pixels | Rejected | Failed:
        """The picture as RGB [height, width, 3] at the model's size; or what the decoder says against it;
        or Failed where it broke off for another reason (no memory)."""
        try:
            with _opened(data) as picture, self._budget.taken(picture.width * picture.height):
                with _evidence():
                    picture.load()
                return np.asarray(self._fitted(picture))
        except _Undecodable as error:
            return Rejected(Reason.UNDECODABLE, f"the JPEG cannot be decoded: {error}")
        except Exception as error:  # noqa: BLE001 - whatever else it is, it is no evidence and no reason to stop
            return Failed(f"decoding broke off: {error!r}")

    def tensor(self, pictures: Sequence[Pixels]) -> NDArray[np.float32]:
        """Decoded pictures as the model's input: normalised, in its layout."""
        batch = np.stack(pictures).astype(np.float32)
        batch *= self._factor
        batch += self._offset
        return np.ascontiguousarray(batch.transpose(0, 3, 1, 2)) if self._wanted.layout == "NCHW" else batch

    def _fitted(self, picture: JpegImageFile) -> Image.Image:
        coloured: Image.Image = picture
        if picture.mode == "CMYK":
            # Pillow takes every CMYK JPEG for Adobe's inverted kind; without Adobe's marker it is not.
            coloured = (picture if "adobe" in picture.info else ImageChops.invert(picture)).convert("RGB")
        height, width = self._wanted.size
        resized = coloured.resize((width, height), Image.Resampling.BILINEAR, self._box(picture.size))
        return resized.convert("RGB")

    def _box(self, size: tuple[int, int]) -> tuple[float, float, float, float]:
        """The part of the picture that is seen after resize and crop, in its own pixels: one resampling
        does both, and a very long picture is never enlarged whole."""
        width, height = size
        out_height, out_width = self._wanted.size
        if isinstance(self._wanted.resize, int):
            x_ratio = y_ratio = min(width, height) / self._wanted.resize
        else:
            y_ratio, x_ratio = height / self._wanted.resize[0], width / self._wanted.resize[1]
        seen_width, seen_height = out_width * x_ratio, out_height * y_ratio
        # Not below zero, where rounding put the part seen beyond the picture by its last digit.
        left, top = max(0.0, (width - seen_width) / 2), max(0.0, (height - seen_height) / 2)
        return left, top, min(left + seen_width, width), min(top + seen_height, height)


class _Undecodable(Exception):
    """The decoder's word against a picture."""


@contextmanager
def _evidence() -> Iterator[None]:
    """Only what the decoder raises in here is evidence against a picture."""
    try:
        yield
    except (OSError, SyntaxError, ValueError) as error:
        if "out of memory" in str(error):  # the codec's own words
            raise MemoryError(str(error)) from error
        raise _Undecodable(str(error)) from error


def _opened(data: bytes) -> "_Jpeg":
    """The class, not Image.open: no other format, no MPO, and no limit but the gate's."""
    with _evidence():
        return _Jpeg(io.BytesIO(data))


class _Jpeg(JpegImageFile):
    """Pillow's JPEG without its look for a resolution, which warns where EXIF data is damaged."""

    def _read_dpi_from_exif(self) -> None:
        pass
