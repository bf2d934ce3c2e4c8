"""How these tests ask a served model."""

from collections.abc import Callable

import pytest

from classifyd.core.values import Prediction
from classifyd.engines.tfserving import TFServingClassifier
from verification.kit.pictures import image, jpeg
from verification.kit.serving import ServingStandIn
from verification.kit.serving.over_grpc import GrpcStandIn

Connect = Callable[..., TFServingClassifier]
each_transport = pytest.mark.parametrize(
    "server", [ServingStandIn, GrpcStandIn], ids=["REST", "gRPC"], indirect=True
)
over_grpc = pytest.mark.parametrize("server", [GrpcStandIn], ids=["gRPC"], indirect=True)
RED, GREEN = image(jpeg("red")), image(jpeg("green"))


def labels_of(classifier: TFServingClassifier, *pictures: object) -> list[str]:
    answers = classifier.classify(pictures or (RED, GREEN))
    assert all(isinstance(answer, Prediction) for answer in answers), answers
    return [answer.best.label for answer in answers]


def versions_asked(server: ServingStandIn) -> list[str]:
    return [
        request.path.split("/")[5].split(":")[0] for request in server.requests if request.kind == "predict"
    ]
