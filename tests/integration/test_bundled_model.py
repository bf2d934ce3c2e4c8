"""The bundled model: its folder is in order, and its two forms answer alike.

The ONNX form is asked through the daemon's own engine, the SavedModel through TensorFlow.
"""

import io
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from PIL import Image as Picture

from classifyd.core.values import Prediction
from classifyd.engines.bundled import bundled_model
from classifyd.engines.card import read_card
from classifyd.engines.onnx import OnnxClassifier, OnnxConfig
from verification.accuracy import decoding_whole
from verification.kit.pictures import image

PHOTOGRAPHS = ("astronaut.png", "chelsea.png", "coffee.png", "motorcycle_left.png", "rocket.jpg")
FOLDER = bundled_model("resnet_cifar10")


@pytest.fixture(scope="module")
def engine():
    return OnnxClassifier(OnnxConfig("resnet", FOLDER, top_k=10, threads=1))


@pytest.fixture(scope="module")
def saved_model():
    tensorflow = pytest.importorskip("tensorflow", reason="needs the extra `train`")
    loaded = tensorflow.saved_model.load(str(FOLDER / "1"))
    serve = loaded.signatures["serving_default"]

    def answer(pictures: list[bytes]) -> tuple[np.ndarray, np.ndarray]:
        answers = serve(image_bytes=tensorflow.constant(pictures))
        return answers["classes"].numpy(), answers["probabilities"].numpy()

    answer.keep = loaded
    answer.signature = serve
    return answer


def photograph(name: str) -> Picture.Image:
    with Picture.open(Path(skimage.data.data_dir) / name) as picture:
        return picture.convert("RGB")


def jpeg(picture: Picture.Image, mode: str = "RGB", quality: int = 90) -> bytes:
    encoded = io.BytesIO()
    picture.convert(mode).save(encoded, "JPEG", quality=quality)
    return encoded.getvalue()


def small_pictures() -> list[bytes]:
    """Pieces of 32×32, from all over the photographs, and each whole photograph at that size."""
    pieces = []
    for name in PHOTOGRAPHS:
        picture = photograph(name)
        pieces.append(picture.resize((32, 32), Picture.Resampling.LANCZOS))
        for left in range(0, picture.width - 64, 97):
            corner = (left, (left * 7) % (picture.height - 64))
            whole = picture.crop((*corner, corner[0] + 64, corner[1] + 64))
            pieces += [whole.crop((0, 0, 32, 32)), whole.resize((32, 32))]
    return [jpeg(piece, quality=75) for piece in pieces]


def resized_photographs(size, mode):
    pictures = [photograph(name) for name in PHOTOGRAPHS]
    return [jpeg(picture.resize(size) if size else picture, mode) for picture in pictures]


def probabilities(engine: OnnxClassifier, pictures: list[bytes]) -> np.ndarray:
    answers = engine.classify([image(data) for data in pictures])
    rows = np.zeros((len(answers), 10))
    for row, answer in zip(rows, answers, strict=True):
        assert isinstance(answer, Prediction), answer
        for candidate in answer.top:
            row[candidate.class_index] = candidate.probability
    return rows


def assert_alike(engine, saved_model, pictures, tolerance):
    ours = probabilities(engine, pictures)
    classes, theirs = saved_model(pictures)
    assert np.abs(ours - theirs).max() <= tolerance
    best = np.sort(theirs, axis=1)
    clear = best[:, -1] - best[:, -2] > tolerance
    assert (ours.argmax(axis=1) == classes)[clear].all()


def test_the_card_names_the_files_as_they_are():
    card = read_card(FOLDER)
    assert {"model.onnx", "labels.txt", "1/saved_model.pb"} <= set(card.checksums)
    for path, checksum in card.checksums.items():
        assert sha256((FOLDER / path).read_bytes()).hexdigest() == checksum, path


def test_the_card_names_what_was_measured():
    accuracy = read_card(FOLDER).accuracy
    assert accuracy["pictures"] == 10_000
    assert accuracy["top1"] >= 0.90


def test_the_card_names_what_decoding_at_a_reduced_scale_costs():
    accuracy = read_card(FOLDER).accuracy
    lost = accuracy["top1_enlarged_to_320_decoded_whole"] - accuracy["top1_enlarged_to_320"]
    assert lost <= 0.002


@pytest.mark.parametrize("size", [None, (2400, 1600), (640, 480), (300, 800)])
def test_a_reduced_scale_changes_no_clear_answer(engine, size):
    pictures = resized_photographs(size, "RGB")
    with decoding_whole(FOLDER) as folder:
        assert read_card(folder).preprocessing.reduction is None
        theirs = probabilities(OnnxClassifier(OnnxConfig("whole", folder, top_k=10, threads=1)), pictures)
    ours = probabilities(engine, pictures)
    assert (ours != theirs).any()
    assert np.abs(ours - theirs).max() <= 3e-2
    best = np.sort(theirs, axis=1)
    clear = best[:, -1] - best[:, -2] > 3e-2
    assert (ours.argmax(axis=1) == theirs.argmax(axis=1))[clear].all()


def test_the_folder_is_small():
    assert sum(path.stat().st_size for path in FOLDER.rglob("*") if path.is_file()) < 8 * 2**20


def test_it_knows_the_classes_of_cifar_10(engine):
    assert engine.probe().labels == (
        "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"
    )  # fmt: skip


@pytest.mark.train
def test_the_saved_model_has_the_official_signature(saved_model):
    [given] = saved_model.signature.structured_input_signature[1].values()
    assert (given.name, given.dtype.name, given.shape.as_list()) == ("image_bytes", "string", [None])
    wanted = {
        name: (output.dtype.name, output.shape.as_list())
        for name, output in saved_model.signature.structured_outputs.items()
    }
    assert wanted == {"classes": ("int64", [None]), "probabilities": ("float32", [None, 10])}


@pytest.mark.train
def test_both_forms_answer_alike_at_the_models_own_size(engine, saved_model):
    assert_alike(engine, saved_model, small_pictures(), tolerance=1e-3)


@pytest.mark.train
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("size", [(333, 200), (200, 333), (250, 800), (31, 33), (24, 24)])
def test_both_forms_answer_alike_for_resized_pictures(engine, saved_model, size, mode):
    assert_alike(engine, saved_model, resized_photographs(size, mode), tolerance=2e-2)


@pytest.mark.train
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("size", [None, (2400, 1600), (640, 480), (300, 800)])
def test_both_forms_answer_alike_where_one_decodes_at_a_reduced_scale(engine, saved_model, size, mode):
    assert_alike(engine, saved_model, resized_photographs(size, mode), tolerance=5e-2)


@pytest.mark.train
def test_a_batch_of_different_sizes_is_answered_in_order(engine, saved_model):
    pictures = [jpeg(photograph(name).resize((90 + 60 * n, 77))) for n, name in enumerate(PHOTOGRAPHS)]
    assert_alike(engine, saved_model, pictures, tolerance=2e-2)
