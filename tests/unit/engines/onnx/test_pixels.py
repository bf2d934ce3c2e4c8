"""Decoding and preprocessing."""

import io
import struct
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from classifyd.core.errors import Failed
from classifyd.core.values import Reason, Rejected
from classifyd.engines.card import Preprocessing
from classifyd.engines.onnx import pixels as module
from classifyd.engines.onnx.budget import PixelBudget
from classifyd.engines.onnx.pixels import Pixelator
from verification.kit.pictures import jpeg, without_segment


def pixelator(**wanted: object) -> Pixelator:
    return Pixelator(Preprocessing(**({"resize": (8, 8)} | wanted)), PixelBudget(10**8))


def decoded(maker: Pixelator, data: bytes) -> np.ndarray:
    pixels = maker.decode(data)
    assert isinstance(pixels, np.ndarray), pixels
    return pixels


def gradient(size: tuple[int, int]) -> Image.Image:
    """Red grows to the right, green to the bottom."""
    width, height = size
    x, y = np.meshgrid(np.linspace(0, 255, width), np.linspace(0, 255, height))
    return Image.fromarray(np.dstack([x, y, np.full_like(x, 128)]).astype(np.uint8))


def encoded(picture: Image.Image, **options: object) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=95, subsampling=0, **options)
    return stream.getvalue()


@pytest.mark.parametrize("mode", ["RGB", "CMYK"])
def test_colours_are_rgb_whatever_the_encoding(mode: str) -> None:
    pixels = decoded(pixelator(), jpeg("#c81e3c", mode=mode, quality=100))
    assert pixels.shape == (8, 8, 3)
    assert np.abs(pixels.astype(int) - [0xC8, 0x1E, 0x3C]).max() <= 3


def test_grey_pictures_have_three_equal_channels() -> None:
    pixels = decoded(pixelator(), jpeg("#808080", mode="L"))
    assert (pixels == 128).all()


def test_cmyk_without_adobes_marker_is_not_inverted() -> None:
    # White ink-wise: Adobe writes 255 for no ink; without its marker 255 is full ink, that is black.
    data = jpeg("white", mode="CMYK")
    assert decoded(pixelator(), data).min() == 255
    assert decoded(pixelator(), without_segment(data, 0xEE)).max() == 0


def test_the_orientation_in_exif_data_is_not_applied() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    plain, turned = (encoded(gradient((64, 64)), **options) for options in ({}, {"exif": exif}))
    assert plain != turned
    assert (decoded(pixelator(), plain) == decoded(pixelator(), turned)).all()


def test_damaged_exif_data_is_nobodys_business() -> None:
    exif = b"Exif\x00\x00II*\x00\x08\x00\x00\x00\xff\xff" + b"\xff" * 40
    decoded(pixelator(), jpeg("red", exif=exif))


def test_an_exact_size_ignores_the_aspect() -> None:
    pixels = decoded(pixelator(resize=(4, 16)), encoded(gradient((300, 40))))
    assert pixels.shape == (4, 16, 3)
    assert pixels[0, 0, 0] < 20 < 235 < pixels[0, -1, 0]
    assert pixels[0, 0, 1] < 40 < 215 < pixels[-1, 0, 1]


def test_a_shorter_side_keeps_the_aspect_and_the_crop_is_central() -> None:
    pixels = decoded(pixelator(resize=40, crop=20), encoded(gradient((320, 80)))).astype(int)
    assert pixels.shape == (20, 20, 3)
    # 320×80 becomes 160×40; the crop sees columns 70..90 of 160 and rows 10..30 of 40.
    assert np.abs(pixels[:, 0, 0] - 255 * 70.5 / 160).max() <= 4
    assert np.abs(pixels[:, -1, 0] - 255 * 89.5 / 160).max() <= 4
    assert np.abs(pixels[0, :, 1] - 255 * 10.5 / 40).max() <= 4
    assert np.abs(pixels[-1, :, 1] - 255 * 29.5 / 40).max() <= 4


def test_reduction_is_antialiased() -> None:
    stripes = np.zeros((512, 512, 3), np.uint8)
    stripes[:, ::2] = 255
    pixels = decoded(pixelator(), encoded(Image.fromarray(stripes)))
    assert np.abs(pixels.astype(int) - 127).max() <= 3  # every stripe counts; sampling would give 0 or 255


@settings(max_examples=30)
@given(st.tuples(st.integers(1, 400), st.integers(1, 400)), st.sampled_from([{}, {"resize": 8, "crop": 8}]))
def test_every_shape_of_picture_fits(size: tuple[int, int], wanted: dict[str, object]) -> None:
    assert decoded(pixelator(**wanted), jpeg("red", size)).shape == (8, 8, 3)


@pytest.mark.parametrize("side", [224, 299, 300, 331, 380])
def test_rounding_puts_no_picture_beyond_its_own_edge(side: int) -> None:
    maker = pixelator(resize=(side, side))
    for length in range(1, 6000):
        left, top, right, bottom = maker._seen((length, length))
        assert 0 <= left < right <= length
        assert 0 <= top < bottom <= length


def test_a_mistake_of_our_own_arithmetic_rejects_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Pixelator, "_seen", lambda _self, _size: (-1.0, 0.0, 1.0, 1.0))
    assert isinstance(pixelator().decode(jpeg("red")), Failed)


def test_scale_comes_before_mean_and_deviation() -> None:
    maker = pixelator(scale=1 / 255, mean=(0.5, 0.25, 0.0), std=(0.5, 0.25, 1.0))
    tensor = maker.tensor([np.full((8, 8, 3), 255, np.uint8)])
    assert tensor.dtype == np.float32
    assert tensor.shape == (1, 8, 8, 3)
    assert np.allclose(tensor[0, 0, 0], [1.0, 3.0, 1.0])


def test_the_layout_is_the_models() -> None:
    picture = np.zeros((8, 8, 3), np.uint8)
    picture[..., 1] = 9
    tensor = pixelator(layout="NCHW").tensor([picture, picture])
    assert tensor.shape == (2, 3, 8, 8)
    assert tensor.flags.c_contiguous
    assert (tensor[:, 1] == 9).all()
    assert (tensor[:, [0, 2]] == 0).all()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"GIF89a",
        b"\xff\xd8\xff",
        jpeg("red")[:-200],
        without_segment(jpeg("red"), 0xDB),
        jpeg("red").replace(b"\xff\xc0\x00\x11\x08", b"\xff\xc0\x00\x11\x09"),
    ],
    ids=["empty", "GIF", "only a start", "cut off", "no quantisation table", "9 bits a sample"],
)
def test_what_cannot_be_decoded_is_rejected_for_it(data: bytes) -> None:
    answer = pixelator().decode(data)
    assert isinstance(answer, Rejected)
    assert answer.reason is Reason.UNDECODABLE
    assert answer.detail.startswith("the JPEG cannot be decoded: ")


def crowd(piece: bytes, count: int) -> bytes:
    """A sound picture with many of a piece between its first two segments."""
    sound = jpeg("red")
    second = sound.index(b"\xff\xdb")
    return sound[:second] + piece * count + sound[second:]


@pytest.mark.parametrize(
    "data",
    [
        crowd(b"\xff", 40_000_000),
        crowd(b"\xff\0", 20_000_000),
        crowd(b"\0", 60_000_000),
        crowd(b"\xff\xe1\x03\xf8Exif\0\0" + bytes(1008), 40_000),
    ],
    ids=["fill bytes", "stuffed zeros", "junk", "EXIF segments"],
)
def test_what_stands_before_the_picture_costs_little(data: bytes) -> None:
    started = time.process_time()
    assert decoded(pixelator(), data)[0, 0, 0] > 200
    assert time.process_time() - started < 2.0  # each took 2.4 to 20 s in a reader that goes byte by byte


@pytest.mark.parametrize("code", [0xC0, 0xC8, 0xDE, 0xF0])
def test_a_second_frame_is_evidence_and_takes_no_memory(code: int) -> None:
    frame = struct.pack(">BHHB", 8, 65_535, 65_535, 3) + bytes([1, 0x11, 0, 2, 0x11, 0, 3, 0x11, 0])
    sound = jpeg("red")
    scan = sound.index(b"\xff\xda")
    data = sound[:scan] + struct.pack(">BBH", 0xFF, code, len(frame) + 2) + frame + sound[scan:]
    assert isinstance(pixelator().decode(data), Rejected)


def test_a_segment_too_short_to_be_adobes_is_passed_over() -> None:
    data = jpeg("red")
    decoded(pixelator(), data[:2] + b"\xff\xee\0\x07Adobe" + data[2:])


@pytest.mark.parametrize("error", [MemoryError(), KeyError("bug")])
def test_what_is_no_evidence_rejects_nothing(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def broken(*_: object) -> None:
        raise error

    monkeypatch.setattr(module.Image, "frombytes", broken)
    assert isinstance(pixelator().decode(jpeg("red")), Failed)
