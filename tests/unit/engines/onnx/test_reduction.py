"""Decoding at a reduced scale: when it is done, and that it costs no more than the model cards say."""

import io
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skimage.data
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from classifyd.core.values import Rejected
from classifyd.engines.bundled import bundled_model
from classifyd.engines.card import ModelCard, Preprocessing, Reduction, read_card
from classifyd.engines.onnx import pixels as module
from classifyd.engines.onnx.budget import PixelBudget
from classifyd.engines.onnx.pixels import Pixelator
from classifyd.operations.models.catalog import Catalog
from verification.kit.pictures import without_segment

BUNDLED = bundled_model("resnet_cifar10")
PHOTOGRAPHS = (
    "astronaut.png",
    "brick.png",
    "camera.png",
    "chelsea.png",
    "chessboard_RGB.png",
    "coffee.png",
    "grass.png",
    "hubble_deep_field.jpg",
    "motorcycle_left.png",
    "page.png",
    "retina.jpg",
    "rocket.jpg",
    "text.png",
)
SIDES = ((257, 259), (387, 302), (512, 512), (1234, 777), (1600, 1200), (2160, 2880))
ENCODINGS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("RGB", {"quality": 75}),
    ("RGB", {"quality": 92, "subsampling": 0, "progressive": True}),
    ("L", {"quality": 85}),
    ("RGB", {"quality": 97, "subsampling": 1}),
    ("CMYK", {"quality": 90}),
)


def pixelator(wanted: Preprocessing) -> Pixelator:
    return Pixelator(wanted, PixelBudget(10**8))


def wanting(at_least: float | None, **wanted: Any) -> Preprocessing:
    reduction = at_least and Reduction(at_least=at_least, tolerance=0, mean_tolerance=0)
    return Preprocessing(**({"resize": (8, 8)} | wanted), reduction=reduction or None)


def whole(wanted: Preprocessing) -> Preprocessing:
    return wanted.model_copy(update={"reduction": None})


def encoded(picture: Image.Image, mode: str = "RGB", **options: Any) -> bytes:
    stream = io.BytesIO()
    picture.convert(mode).save(stream, "JPEG", **options)
    return stream.getvalue()


def decoded(wanted: Preprocessing, data: bytes) -> np.ndarray:
    pixels = pixelator(wanted).decode(data)
    assert isinstance(pixels, np.ndarray), pixels
    return pixels.astype(int)


def gradient(size: tuple[int, int]) -> Image.Image:
    """Red grows to the right, green to the bottom."""
    x, y = np.meshgrid(np.linspace(0, 255, size[0]), np.linspace(0, 255, size[1]))
    return Image.fromarray(np.dstack([x, y, np.full_like(x, 128)]).astype(np.uint8))


@pytest.fixture
def scales(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The scales at which pictures are decoded."""
    seen: list[int] = []

    def spied(*arguments: Any) -> Image.Image:
        seen.append(arguments[-2])
        return Image.frombytes(*arguments)

    monkeypatch.setattr(module, "Image", Spy(spied))
    return seen


class Spy:
    """Pillow's module with another `frombytes`."""

    def __init__(self, frombytes: Any) -> None:
        self.frombytes = frombytes

    def __getattr__(self, name: str) -> Any:
        return getattr(Image, name)


@pytest.mark.parametrize(
    ("size", "at_least", "scale"),
    [
        ((256, 256), None, 1),
        ((31, 31), 2, 1),
        ((32, 32), 2, 2),
        ((63, 400), 2, 2),
        ((64, 400), 2, 4),
        ((400, 128), 2, 8),
        ((4000, 3000), 2, 8),
        ((127, 128), 2, 4),
        ((4000, 15), 1, 1),
    ],
)
def test_a_picture_is_decoded_as_small_as_the_card_allows(
    scales: list[int], size: tuple[int, int], at_least: float | None, scale: int
) -> None:
    decoded(wanting(at_least), encoded(gradient(size)))
    assert scales == [scale]


def test_what_is_cropped_away_does_not_count(scales: list[int]) -> None:
    # 640×80 becomes 160×20, of which 10×10 are seen: 40×40 pixels of the picture.
    decoded(wanting(2, resize=20, crop=10), encoded(gradient((640, 80))))
    assert scales == [2]


@given(
    st.tuples(st.integers(1, 9000), st.integers(1, 9000)),
    st.floats(1, 10),
    st.sampled_from([{"resize": (8, 8)}, {"resize": (4, 16)}, {"resize": 10, "crop": 8}]),
)
def test_what_is_left_is_never_less_than_the_card_says(
    size: tuple[int, int], at_least: float, wanted: dict[str, Any]
) -> None:
    preprocessing = wanting(at_least, **wanted)
    maker = pixelator(preprocessing)
    left, top, right, bottom = seen = maker._seen(size)
    scale = maker._scale(seen)
    height, width = preprocessing.size
    spare = min((right - left) / width, (bottom - top) / height)
    assert scale in (1, 2, 4, 8)
    assert scale == 1 or spare >= at_least * scale
    assert scale == 8 or spare < at_least * scale * 2


@pytest.mark.parametrize("size", [(400, 400), (401, 403), (407, 399), (255, 1000)])
@pytest.mark.parametrize("wanted", [{"resize": (8, 8)}, {"resize": 12, "crop": 8}], ids=["exact", "crop"])
def test_the_same_part_is_seen_at_every_scale(size: tuple[int, int], wanted: dict[str, Any]) -> None:
    data = encoded(gradient(size), quality=95, subsampling=0)
    reduced, full = wanting(2, **wanted), wanting(None, **wanted)
    assert np.abs(decoded(reduced, data) - decoded(full, data)).max() <= 2


def test_a_lossless_picture_is_decoded_whole(scales: list[int]) -> None:
    data = encoded(gradient((256, 256)))
    assert b"\xff\xc0\0\x11" in data
    pixelator(wanting(2)).decode(data.replace(b"\xff\xc0\0\x11", b"\xff\xc3\0\x11"))
    assert scales == [1]


@pytest.mark.parametrize("progressive", [False, True], ids=["baseline", "progressive"])
def test_the_verdict_on_a_broken_picture_is_the_same_at_every_scale(progressive: bool) -> None:
    sound = encoded(gradient((512, 512)), progressive=progressive)
    for broken in (sound[: len(sound) // 2], without_segment(sound, 0xDB)):
        verdicts = [pixelator(wanting(at_least)).decode(broken) for at_least in (None, 2)]
        assert isinstance(verdicts[0], Rejected)
        assert verdicts[0] == verdicts[1]


def shipped() -> Iterator[ModelCard]:
    """The cards of all models for the embedded engine."""
    yield read_card(BUNDLED)
    for entry in Catalog.read(BUNDLED.parent / "catalog.toml").entries:
        if entry.engine == "onnx":
            yield ModelCard.model_validate(tomllib.loads(entry.card))


@pytest.mark.parametrize("card", list(shipped()), ids=lambda card: card.name)
def test_it_costs_no_more_than_the_shipped_cards_say(card: ModelCard) -> None:
    wanted = card.preprocessing
    assert wanted is not None
    assert wanted.reduction is not None
    costs = [cost for name in PHOTOGRAPHS for cost in _costs(wanted, name)]
    assert len(costs) >= len(PHOTOGRAPHS)
    most, mean = np.max(costs, axis=0)
    assert 0 < most <= wanted.reduction.tolerance
    assert 0 < mean <= wanted.reduction.mean_tolerance


def _costs(wanted: Preprocessing, photograph: str) -> Iterator[tuple[int, float]]:
    """How far off the input is when a photograph is decoded at a reduced scale, at most and on average: in
    each size that is, in one encoding or another. It is repeated to fill the size: enlarged it would have
    less detail than a photograph of that size has."""
    with Image.open(Path(skimage.data.data_dir) / photograph) as opened:
        pixels = np.asarray(opened.convert("RGB"))
    maker = pixelator(wanted)
    for number, (width, height) in enumerate(SIDES):
        if maker._scale(maker._seen((width, height))) > 1:
            times = (-(-height // pixels.shape[0]), -(-width // pixels.shape[1]), 1)
            mode, options = ENCODINGS[number % len(ENCODINGS)]
            data = encoded(Image.fromarray(np.tile(pixels, times)[:height, :width]), mode, **options)
            off = np.abs(decoded(wanted, data) - decoded(whole(wanted), data))
            yield off.max(), off.mean()


@pytest.mark.parametrize("size", [(32, 32), (24, 40), (255, 255), (250, 4000)])
def test_the_bundled_model_sees_small_pictures_to_the_byte(size: tuple[int, int]) -> None:
    wanted = read_card(BUNDLED).preprocessing
    assert wanted is not None
    data = encoded(gradient(size))
    assert (decoded(wanted, data) == decoded(whole(wanted), data)).all()
