"""A stand-in that serves the colour model, and a classifier that asks it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from classifyd.engines.onnx import OnnxClassifier, OnnxConfig
from classifyd.engines.tfserving import TFServingClassifier, TFServingConfig
from verification.kit.colours import LABELS, write_colour_model
from verification.kit.serving import ServingStandIn


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_colour_model(tmp_path_factory.mktemp("colours"))


@pytest.fixture(scope="session")
def behind(folder: Path) -> OnnxClassifier:
    return OnnxClassifier(OnnxConfig("colours", folder, top_k=len(LABELS), threads=1))


@pytest.fixture
def server(behind: OnnxClassifier) -> Iterator[ServingStandIn]:
    with ServingStandIn({"colours": behind}) as server:
        yield server


@pytest.fixture
def connect(server: ServingStandIn, folder: Path) -> Iterator[Callable[..., TFServingClassifier]]:
    made = []

    def connect(**options: Any) -> TFServingClassifier:
        settings = {"url": server.url, "labels": folder / "labels.txt", "timeout": 20.0} | options
        classifier = TFServingClassifier(TFServingConfig("colours", **settings))
        made.append(classifier)
        return classifier

    yield connect
    for classifier in made:
        classifier.close()


@pytest.fixture
def classifier(connect: Callable[..., TFServingClassifier]) -> TFServingClassifier:
    return connect()
