"""What every kind of answer over gRPC means."""

from collections.abc import Callable

import pytest

from classifyd.core.errors import ClassifierError, Failed, Oversized, Refused, Unavailable
from classifyd.engines.onnx import OnnxClassifier
from classifyd.engines.tfserving import TFServingClassifier
from tests.unit.engines.tfserving import http2
from tests.unit.engines.tfserving.asking import GREEN, RED, Connect, labels_of, over_grpc
from tests.unit.engines.tfserving.scripted import Behaviour, Server
from verification.kit.serving import ServingStandIn, faults
from verification.kit.serving.grpc_messages import MESSAGES
from verification.kit.serving.over_grpc import GrpcStandIn

pytestmark = over_grpc


@pytest.mark.parametrize(
    ("fault", "meaning", "told"),
    [
        (faults.status(400, "Invalid JPEG data"), Refused, "answered INVALID_ARGUMENT: Invalid JPEG data"),
        (faults.status(500, "internal"), Failed, "INTERNAL: internal"),
        (faults.status(501, "no such operation"), Failed, "UNIMPLEMENTED"),
        (faults.status(599, "what now"), Failed, "UNKNOWN: what now"),
        (faults.status(401, "who are you"), Unavailable, "UNAUTHENTICATED"),
        (faults.status(403, "no"), Unavailable, "PERMISSION_DENIED"),
        (faults.status(409, "aborted"), Unavailable, "ABORTED"),
        (faults.status(429, "queue full"), Unavailable, "RESOURCE_EXHAUSTED: queue full"),
        (faults.status(503, "busy"), Unavailable, "answered UNAVAILABLE: busy"),
        (faults.status(504, "too late"), Unavailable, "did not answer in time: too late"),
        (faults.status(404, "Servable not found"), Unavailable, "NOT_FOUND: Servable.*its name right"),
        (
            faults.status(429, "grpc: received message larger than max (5 vs. 4)"),
            Oversized,
            "a proxy's limit",
        ),
        (faults.status(429, "gRPC message exceeds maximum size 4: 5"), Oversized, "a proxy's limit"),
        (faults.body(b""), Unavailable, "does not answer like TensorFlow Serving: no output"),
        (faults.body(b"\xff"), Unavailable, "a number without an end; check `url`"),
        (faults.wrong_count(-1), Failed, "1 predictions for 2 pictures"),
        (faults.wrong_count(1), Failed, "3 predictions for 2 pictures"),
    ],
)
def test_an_error_is_an_outage_unless_it_may_concern_a_picture(
    classifier: TFServingClassifier,
    server: ServingStandIn,
    fault: faults.Fault,
    meaning: type[ClassifierError],
    told: str,
) -> None:
    assert labels_of(classifier) == ["red", "green"]
    server.script(fault)
    with pytest.raises(ClassifierError, match=told) as raised:
        classifier.classify([RED, GREEN])
    assert type(raised.value) in (meaning, *meaning.__subclasses__())
    assert meaning is Oversized or not isinstance(raised.value, Oversized)
    server.heal()
    assert labels_of(classifier) == ["red", "green"]


@pytest.mark.parametrize("kind", ["status", "metadata"])
@pytest.mark.parametrize("body", [b"", b"\x08\x01", b"\x0a\xff", b"<html>", b"\x0a\x02\x0a\x01"])
def test_a_description_of_another_kind_is_an_outage(
    classifier: TFServingClassifier, server: ServingStandIn, kind: str, body: bytes
) -> None:
    server.script(faults.body(body), kind=kind)
    with pytest.raises(Unavailable):
        classifier.classify([RED])


@pytest.mark.parametrize(
    ("shape", "meaning"), [((2, 2), Unavailable), ((8,), Failed), ((2,), Unavailable), ((), Unavailable)]
)
def test_numbers_that_do_not_fit_speak_of_the_model(
    classifier: TFServingClassifier,
    server: ServingStandIn,
    shape: tuple[int, ...],
    meaning: type[ClassifierError],
) -> None:
    answer = MESSAGES["PredictResponse"]()
    tensor = answer.outputs.add(key="probabilities").value
    tensor.dtype = 1
    size = 1
    for one in shape:
        tensor.tensor_shape.dim.add(size=one)
        size *= one
    tensor.float_val.extend([0.5] * size)
    server.script(faults.body(answer.SerializeToString()))
    with pytest.raises(meaning):
        classifier.classify([RED, GREEN])


def test_a_request_that_is_too_long_for_somebody_before_the_model_is_no_word_against_a_picture(
    connect: Connect, behind: OnnxClassifier
) -> None:
    with GrpcStandIn({"colours": behind}, largest=RED.size_bytes + 200) as small:
        classifier = connect(url=small.url)
        with pytest.raises(Oversized, match="SERVER: Received message larger than max"):
            classifier.classify([RED, GREEN])
        assert labels_of(classifier, RED) == ["red"]


@pytest.mark.parametrize(
    ("reply", "meaning", "told"),
    [
        (http2.page(200), Unavailable, "cannot be reached: Stream removed"),
        (http2.page(400), Unavailable, "status: 400"),
        (http2.page(404), Unavailable, "status: 404"),
        (http2.page(413), Oversized, "status: 413 .a proxy's limit"),
        (http2.page(500), Unavailable, "status: 500"),
        (http2.page(502), Unavailable, "status: 502"),
        (http2.reset(2), Unavailable, "cannot be reached: Stream removed"),  # INTERNAL_ERROR
        (http2.reset(8), Unavailable, "cannot be reached: Stream removed"),  # CANCEL
        (http2.answer_without_message(), Unavailable, "no output 'probabilities'"),
        (b"\xff" * 100, Unavailable, "cannot be reached"),
    ],
    ids=["page", "400", "404", "413", "500", "502", "failed", "cancelled", "nothing", "noise"],
)
def test_what_is_not_said_by_the_server_condemns_no_picture(
    serve: Callable[[Behaviour], Server],
    connect: Connect,
    server: ServingStandIn,
    monkeypatch: pytest.MonkeyPatch,
    reply: bytes,
    meaning: type[ClassifierError],
    told: str,
) -> None:
    classifier = connect()
    assert labels_of(classifier) == ["red", "green"]
    between = connect(url=http2.url(serve(http2.replying(reply))))
    # What is served is known already: the next call is about pictures.
    monkeypatch.setattr(between, "_servable", classifier._servable)
    with pytest.raises(meaning, match=told) as raised:
        between.classify([RED])
    assert type(raised.value) is meaning
