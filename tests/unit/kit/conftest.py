"""The colour model, with all its classes told."""

import pytest

from classifyd.engines.onnx import OnnxClassifier, OnnxConfig
from verification.kit.colours import LABELS, write_colour_model


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> OnnxClassifier:
    folder = write_colour_model(tmp_path_factory.mktemp("colours"))
    return OnnxClassifier(OnnxConfig("colours", folder, top_k=len(LABELS), threads=1))
