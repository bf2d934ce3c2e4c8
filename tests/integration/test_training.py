"""The scripts that make the bundled model, on a data set of a few pictures."""

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import onnx
import pytest
from PIL import Image

from classifyd.core.values import Prediction
from classifyd.engines.bundled import bundled_model
from classifyd.engines.onnx import OnnxClassifier, OnnxConfig
from verification.kit.pictures import image

pytestmark = pytest.mark.train

MODELS = Path(__file__).parents[2] / "models"
LABELS = (bundled_model("resnet_cifar10") / "labels.txt").read_text().split()


def run(script: str, *arguments: object) -> str:
    command = [sys.executable, MODELS / script, *map(str, arguments)]
    quiet = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "2"}
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=quiet, timeout=200)
    assert done.returncode == 0, done.stderr
    return done.stdout


def operators(model: Path) -> Counter[str]:
    """What a model's network computes with, and how often."""
    return Counter(node.op_type for node in onnx.load(model / "model.onnx").graph.node)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A batch of pictures to train on and a few to test with, in folders."""
    data = tmp_path_factory.mktemp("pictures")
    for split, count in (("train", 13), ("test", 1)):
        for index, label in enumerate(LABELS):
            folder = data / split / label
            folder.mkdir(parents=True)
            for number in range(count):
                shade = (25 * index, 255 - 25 * index, 19 * number)
                Image.new("RGB", (32, 32), shade).save(folder / f"{number}.jpg")
    return data


@pytest.mark.timeout(600)
def test_training_resumes_and_its_weights_become_a_model_that_the_engine_runs(data, tmp_path):
    work, model = tmp_path / "work", tmp_path / "model"
    first = run("train_cifar10.py", "--data", data, "--work", work, "--epochs", 1)
    assert "epoch 1/1 loss" in first
    second = run("train_cifar10.py", "--data", data, "--work", work, "--epochs", 2)
    assert "epoch 2/2 loss" in second
    assert "epoch 1/" not in second

    checksums = run("export_cifar10.py", "--weights", work / "average.weights.h5", "--into", model)
    assert '"1/saved_model.pb"' in checksums
    assert operators(model) == operators(bundled_model("resnet_cifar10"))
    (model / "model.toml").write_bytes((bundled_model("resnet_cifar10") / "model.toml").read_bytes())
    [answer] = OnnxClassifier(OnnxConfig("trained", model, threads=1)).classify(
        [image((data / "test/cat/0.jpg").read_bytes())]
    )
    assert isinstance(answer, Prediction)
