"""The sample photographs, and what `verification/expected.toml` says of them."""

import tomllib
from pathlib import Path

import pytest

from classifyd.core.gate import Limits, inspect
from classifyd.engines.bundled import bundled_model
from classifyd.engines.onnx import OnnxClassifier, OnnxConfig
from verification.kit.pictures import image
from verification.samples import NOT_A_JPEG, PHOTOGRAPHS, write_samples

EXPECTED = tomllib.loads((Path(__file__).parents[2] / "verification/expected.toml").read_text("utf-8"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("samples") / "made"
    written = write_samples(folder)
    assert sorted(written) == sorted(folder.iterdir())
    return folder


@pytest.fixture(scope="module")
def engine():
    return OnnxClassifier(OnnxConfig("resnet", bundled_model("resnet_cifar10"), threads=1))


def test_something_is_expected_of_every_sample():
    assert set(EXPECTED) == set(PHOTOGRAPHS) | set(NOT_A_JPEG)


@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_the_bundled_model_answers_for_a_photograph_as_expected(folder, engine, name):
    [prediction] = engine.classify([image((folder / name).read_bytes())])
    assert prediction.best.class_index == EXPECTED[name]["bundled"]


def test_the_bundled_model_sees_the_cat(folder, engine):
    [prediction] = engine.classify([image((folder / "cat.jpg").read_bytes())])
    assert prediction.best.label == "cat"


@pytest.mark.parametrize("name", NOT_A_JPEG)
def test_what_is_no_jpeg_is_refused_as_expected(folder, name):
    refusal = inspect((folder / name).read_bytes(), Limits()).refusal
    assert refusal is not None
    assert refusal.reason == EXPECTED[name]["rejected"]
