"""From an encoded JPEG to the tensor that a model card asks for.

Decoding is libjpeg's accurate integer DCT with smooth chroma upsampling (Pillow's and TensorFlow's
`INTEGER_ACCURATE` are the same code), without EXIF orientation. Resizing is bilinear with the filter widened
by the reduction, which is `tf.image.resize(antialias=True)` but for rounding to 8 bits.

Where the card allows it, a picture much larger than the model's input is decoded at 1/2, 1/4 or 1/8: libjpeg
computes of each block of 8×8 only the 4×4, 2×2 or 1×1 that it then has, which is most of a decoder's work.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from classifyd.core import jpeg
from classifyd.core.errors import Failed
from classifyd.core.values import Reason, Rejected
from classifyd.engines.card import Preprocessing
from classifyd.engines.onnx.budget import PixelBudget

Pixels = NDArray[np.uint8]
_Size = tuple[int, int]  # width, height
_Box = tuple[float, float, float, float]  # left, top, right, bottom

_SCALES = (8, 4, 2)  # the reductions that libjpeg computes fast

_MODES = {1: "L", 3: "RGB", 4: "CMYK"}  # Pillow's, by the number of components


@dataclass(frozen=True, slots=True)
class _View:
    """How pictures of one size are seen: decoded at one `scale`-th of it, and then this part of that; None
    where all of it is seen, pixel by pixel."""

    scale: int
    box: _Box | None


class Pixelator:
    """Decodes and prepares pictures for one model. Safe from any thread."""

    def __init__(self, wanted: Preprocessing, budget: PixelBudget) -> None:
        self._wanted = wanted
        self._budget = budget
        height, width = wanted.size
        self._size: _Size = (width, height)
        self._view = lru_cache(maxsize=1024)(self._viewed)
        deviation = np.asarray(wanted.std, np.float32)
        # A row's worth of them: numpy is slow at repeating three numbers.
        self._factor = np.tile(np.float32(wanted.scale) / deviation, width)
        self._offset = np.tile(-np.asarray(wanted.mean, np.float32) / deviation, width)

    def decode(self, data: bytes) -> Pixels | Rejected | Failed:
        """The picture as RGB [height, width, 3] at the model's size; or what the decoder says against it;
        or Failed where it broke off for another reason (no memory)."""
        try:
            head = _head(data)
            with self._budget.taken(head.frame.width * head.frame.height):
                return np.asarray(self._fitted(head, data))
        except _Undecodable as error:
            return Rejected(Reason.UNDECODABLE, f"the JPEG cannot be decoded: {error}")
        except Exception as error:  # noqa: BLE001 - whatever else it is, it is no evidence and no reason to stop
            return Failed(f"decoding broke off: {error!r}")

    def tensor(self, pictures: Sequence[Pixels]) -> NDArray[np.float32]:
        """Decoded pictures as the model's input: normalised, in its layout."""
        count, (width, height) = len(pictures), self._size
        rows = np.stack(pictures).reshape(count, height, width * 3).astype(np.float32)
        rows *= self._factor
        rows += self._offset
        batch = rows.reshape(count, height, width, 3)
        return np.ascontiguousarray(batch.transpose(0, 3, 1, 2)) if self._wanted.layout == "NCHW" else batch

    def _fitted(self, head: jpeg.Head, data: bytes) -> Image.Image:
        view = self._view((head.frame.width, head.frame.height), head.lossless)
        picture = _decoded(head, data, view.scale)
        if picture.mode == "CMYK":  # inks do not mix as light does
            picture = picture.convert("RGB")
        if view.box is not None:
            picture = picture.resize(self._size, Image.Resampling.BILINEAR, view.box)
        return picture if picture.mode == "RGB" else picture.convert("RGB")

    def _viewed(self, size: _Size, lossless: bool) -> _View:
        seen = self._seen(size)
        scale = 1 if lossless else self._scale(seen)
        left, top, right, bottom = seen
        box = (left / scale, top / scale, right / scale, bottom / scale)
        return _View(scale, None if size == self._size and box == (0, 0, *size) else box)

    def _scale(self, seen: _Box) -> int:
        """By how much the picture may be smaller when it is decoded, for what is seen of it."""
        reduction = self._wanted.reduction
        if reduction is None:
            return 1
        left, top, right, bottom = seen
        width, height = self._size
        spare = min((right - left) / width, (bottom - top) / height) / reduction.at_least
        return next((scale for scale in _SCALES if scale <= spare), 1)

    def _seen(self, size: _Size) -> _Box:
        """The part of the picture that is seen after resize and crop, in its own pixels: one resampling
        does both, and a very long picture is never enlarged whole."""
        width, height = size
        out_width, out_height = self._size
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


def _decoded(head: jpeg.Head, data: bytes, scale: int) -> Image.Image:
    """The picture at one `scale`-th of its size, rounded up as libjpeg does. A lossless picture has no
    scale but 1: libjpeg would write it whole into what was made for less."""
    frame = head.frame
    size = (-(-frame.width // scale), -(-frame.height // scale))
    mode = raw = _MODES[frame.components]
    if mode == "CMYK" and head.adobe:
        raw = "CMYK;I"
    try:
        return Image.frombytes(mode, size, data, "jpeg", raw, "", scale, 0)
    except ValueError as error:
        _require_memory(frame)
        raise _Undecodable(str(error)) from error


def _require_memory(frame: jpeg.Frame) -> None:
    """Raises MemoryError where there is less than libjpeg may need at most: it says the same when it lacks
    memory as when the data are rotten. That is 16 bits for each sample of a progressive picture, whose
    sides it rounds up to whole units of up to 32 pixels (T.81, A.2.3)."""
    width, height = (-(-side // 32) * 32 for side in (frame.width, frame.height))
    np.empty(2 * frame.components * width * height, np.uint8)
