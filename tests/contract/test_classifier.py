"""The classifier contract on both engines; the served one against the stand-ins, over REST and over gRPC."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from classifyd.core.ports import Classifier
from classifyd.engines.onnx import OnnxClassifier, OnnxConfig
from classifyd.engines.tfserving import TFServingClassifier, TFServingConfig
from verification.kit.classifier_contract import ClassifierContract
from verification.kit.colours import LABELS, write_colour_model
from verification.kit.serving import ServingStandIn
from verification.kit.serving.over_grpc import GrpcStandIn


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_colour_model(tmp_path_factory.mktemp("colours"))


class TestOnnx(ClassifierContract):
    @pytest.fixture(scope="class")
    @classmethod
    def classifier(cls, folder: Path) -> Iterator[Classifier]:
        classifier = OnnxClassifier(OnnxConfig("colours", folder, threads=1))
        yield classifier
        classifier.close()


class TestTFServing(ClassifierContract):
    stand_in: type[ServingStandIn] = ServingStandIn

    @pytest.fixture(scope="class")
    @classmethod
    def classifier(cls, folder: Path) -> Iterator[Classifier]:
        behind = OnnxClassifier(OnnxConfig("colours", folder, top_k=len(LABELS), threads=1))
        with cls.stand_in({"colours": behind}) as server:
            classifier = TFServingClassifier(
                TFServingConfig("served", server.url, model="colours", labels=folder / "labels.txt")
            )
            yield classifier
            classifier.close()


class TestTFServingOverGrpc(TestTFServing):
    stand_in = GrpcStandIn
