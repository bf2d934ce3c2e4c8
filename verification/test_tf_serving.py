"""The classifier contract on a real TensorFlow Serving: `TF_SERVING_URL=http://HOST:8501`, or grpc://HOST:8500.

`TF_SERVING_MODEL` names the model there [resnet], `TF_SERVING_LABELS` a file with its labels [none].
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from classifyd.core.ports import Classifier
from classifyd.engines.tfserving import TFServingClassifier, TFServingConfig
from verification.kit.classifier_contract import ClassifierContract

URL = os.environ.get("TF_SERVING_URL", "")
LABELS = os.environ.get("TF_SERVING_LABELS")


if not URL:
    pytest.skip("TF_SERVING_URL names no TensorFlow Serving", allow_module_level=True)


class TestTensorFlowServing(ClassifierContract):
    @pytest.fixture(scope="class")
    @classmethod
    def classifier(cls) -> Iterator[Classifier]:
        config = TFServingConfig(
            os.environ.get("TF_SERVING_MODEL", "resnet"), URL, labels=Path(LABELS) if LABELS else None
        )
        classifier = TFServingClassifier(config)
        yield classifier
        classifier.close()
