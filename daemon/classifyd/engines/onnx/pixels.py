"""From an encoded JPEG to the tensor that a model card asks for.

Decoding is libjpeg's accurate integer DCT with smooth chroma upsampling (Pillow's and TensorFlow's
`INTEGER_ACCURATE` are the same code), without EXIF orientation. Resizing is bilinear with the filter widened
by the reduction, which is `tf.image.resize(antialias=True)` but for rounding to 8 bits.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from classifyd.core import jpeg
from classifyd.core.errors import Failed
from classifyd.core.values import Reason, Rejected
from classifyd.engines.card import Preprocessing
from classifyd.engines.onnx.budget import PixelBudget

Pixels = NDArray[np.uint8]

_MODES = {1: "L", 3: "RGB", 4: "CMYK"}  # Pillow's, by the number of components


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
            head = _head(data)
            with self._budget.taken(head.frame.width * head.frame.height):
                return np.asarray(self._fitted(_decoded(head, data)))
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

    def _fitted(self, picture: Image.Image) -> Image.Image:
        coloured = picture.convert("RGB") if picture.mode == "CMYK" else picture
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


def _head(data: bytes) -> jpeg.Head:
    """What the decoder has to be told of a picture, read as the gate reads it. Pillow's own reader takes half
    a minute for 64 MB of fill bytes, copies EXIF segments over and over, and believes dimensions in places
    where neither the gate nor libjpeg looks for them."""
    try:
        head = jpeg.read_head(data)
    except ValueError as error:
        raise _Undecodable(str(error)) from error
    frame = head.frame
    if frame.precision != 8 or frame.components not in _MODES or not frame.width * frame.height:
        raise _Undecodable(
            f"its frame is {frame.width} × {frame.height} pixels, {frame.components} components"
            f" of {frame.precision} bits; 1, 3 or 4 of 8 bits are supported"
        )
    return head


def _decoded(head: jpeg.Head, data: bytes) -> Image.Image:
    frame = head.frame
    mode = raw = _MODES[frame.components]
    if mode == "CMYK" and head.adobe:
        raw = "CMYK;I"
    try:
        return Image.frombytes(mode, (frame.width, frame.height), data, "jpeg", raw, "")
    except ValueError as error:
        _require_memory(frame)
        raise _Undecodable(str(error)) from error


def _require_memory(frame: jpeg.Frame) -> None:
    """Raises MemoryError where there is less than libjpeg may need at most: it says the same when it lacks
    memory as when the data are rotten. That is 16 bits for each sample of a progressive picture, whose
    sides it rounds up to whole units of up to 32 pixels (T.81, A.2.3)."""
    width, height = (-(-side // 32) * 32 for side in (frame.width, frame.height))
    np.empty(2 * frame.components * width * height, np.uint8)
