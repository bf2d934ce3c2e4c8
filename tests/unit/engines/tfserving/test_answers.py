"""What every kind of answer of a model server means."""

import pytest

from classifyd.core.errors import ClassifierError, Failed, Oversized, Refused, Unavailable
from classifyd.core.values import Prediction
from classifyd.engines.onnx import OnnxClassifier
from classifyd.engines.tfserving import TFServingClassifier
from tests.unit.engines.tfserving.asking import GREEN, RED, Connect, each_transport, labels_of
from verification.kit.serving import ServingStandIn, faults
from verification.kit.serving.over_grpc import GrpcStandIn


@pytest.mark.parametrize(
    ("fault", "meaning", "told"),
    [
        (faults.status(400, "Invalid JPEG data"), Refused, "answered 400: Invalid JPEG data"),
        (faults.page(413), Oversized, "413: <html>.*a proxy's limit"),
        (faults.page(400), Unavailable, "400: <html>"),
        (faults.page(500), Unavailable, "500: <html>"),
        (faults.status(500, "internal"), Failed, "500: internal"),
        (faults.status(501, "no such operation"), Failed, "501"),
        (faults.status(401, "who are you"), Unavailable, "401"),
        (faults.status(403, "no"), Unavailable, "403"),
        (faults.status(409, "aborted"), Unavailable, "409"),
        (faults.status(429, "queue full"), Unavailable, "429: queue full"),
        (faults.status(503, "busy"), Unavailable, "503: busy"),
        (faults.status(504, "deadline"), Unavailable, "504"),
        (faults.status(404, "Servable not found for request: Latest(colours)"), Unavailable, "404: Servable"),
        (faults.page(404), Unavailable, "404: <html>"),
        (faults.page(502), Unavailable, "502: <html>"),
        (faults.status(302, "moved", Location="/v1/models/colours"), Unavailable, "answered 302: moved"),
        (faults.page(200), Unavailable, "no JSON object; check `url`"),
        (faults.reset(), Unavailable, "cannot be reached: .*reset"),
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
    with pytest.raises(meaning, match=told):
        classifier.classify([RED, GREEN])
    server.heal()
    assert labels_of(classifier) == ["red", "green"]


@each_transport
@pytest.mark.parametrize("kind", ["status", "metadata"])
@pytest.mark.parametrize("code", [400, 404, 500, 503])
def test_no_picture_is_to_blame_for_an_error_before_it_is_sent(
    classifier: TFServingClassifier, server: ServingStandIn, kind: str, code: int
) -> None:
    server.script(faults.status(code, "no"), kind=kind)
    with pytest.raises(Unavailable, match=": no"):
        classifier.classify([RED])


@pytest.mark.parametrize(
    "body",
    [
        b'{"predictions": 1}',
        b'{"predictions": [1, 2]}',
        b'{"predictions": [{"probabilities": [%b]}, {"probabilities": [1]}]}' % (b"9" * 400),
        b'{"predictions": %b}' % (b"[" * 100_000 + b"]" * 100_000),
        b'{"outputs": []}',
        b"[]",
        b"",
        b"{",
    ],
    ids=["number", "numbers", "too large", "too deep", "none", "list", "empty", "cut off"],
)
def test_an_answer_of_another_kind_is_no_verdict(
    classifier: TFServingClassifier, server: ServingStandIn, body: bytes
) -> None:
    server.script(faults.body(body))
    with pytest.raises(Unavailable):
        classifier.classify([RED, GREEN])


def test_rows_without_a_number_are_no_verdict(connect: Connect, server: ServingStandIn) -> None:
    """As a model may give that does not tell how many classes it has."""
    told = (
        b'{"metadata": {"signature_def": {"signature_def": {"s": {"inputs": {"i": {"dtype": "DT_STRING"}},'
        b' "outputs": {"o": {"dtype": "DT_FLOAT", "tensor_shape": {}}}}}}}}'
    )
    server.script(faults.body(told), kind="metadata")
    classifier = connect(labels=None)
    classifier.probe()
    server.script(faults.body(b'{"predictions": [[], []]}'))
    with pytest.raises(Unavailable, match="not one row a picture"):
        classifier.classify([RED, GREEN])


@pytest.mark.parametrize(
    "prediction",
    [
        b'{"classes": 1}',
        b'{"probabilities": 0.5}',
        b'{"probabilities": ["x"]}',
        b'{"probabilities": [0.5, 0.5]}',
    ],
    ids=["no probabilities", "one number", "text", "another count than labels"],
)
def test_predictions_that_do_not_fit_speak_of_the_model(
    classifier: TFServingClassifier, server: ServingStandIn, prediction: bytes
) -> None:
    server.script(faults.body(b'{"predictions": [%b, %b]}' % (prediction, prediction)))
    with pytest.raises(Unavailable):
        classifier.classify([RED, GREEN])


@pytest.mark.parametrize(
    "body",
    [
        b'{"model_version_status": 1}',
        b'{"model_version_status": [{}]}',
        b'{"model_version_status": [{"version": 1e400}]}',
        b"{}",
    ],
)
def test_a_status_of_another_kind_is_an_outage(
    classifier: TFServingClassifier, server: ServingStandIn, body: bytes
) -> None:
    server.script(faults.body(body), kind="status")
    with pytest.raises(Unavailable, match="its status is no list of versions"):
        classifier.probe()


@each_transport
def test_a_picture_of_nan_fails_alone(classifier: TFServingClassifier, server: ServingStandIn) -> None:
    server.script(faults.not_a_number(1))
    red, green = classifier.classify([RED, GREEN])
    assert isinstance(red, Prediction)
    assert isinstance(green, Failed)


@each_transport
def test_one_bad_picture_fails_its_batch_and_only_that(
    classifier: TFServingClassifier, server: ServingStandIn
) -> None:
    server.script(faults.on_picture(GREEN.sha256 or "", faults.status(400, "Invalid JPEG data")))
    with pytest.raises(Refused):
        classifier.classify([RED, GREEN])
    assert labels_of(classifier, RED) == ["red"]


@pytest.mark.parametrize("kind", [ServingStandIn, GrpcStandIn], ids=["REST", "gRPC"])
def test_a_batch_that_is_too_large_is_refused_with_the_servers_words(
    connect: Connect, behind: OnnxClassifier, kind: type[ServingStandIn]
) -> None:
    with kind({"colours": behind}, max_batch=2) as small:
        classifier = connect(url=small.url)
        with pytest.raises(Refused, match="Task size 3 is larger than maximum input batch size 2"):
            classifier.classify([RED, RED, RED])
        assert labels_of(classifier, RED, RED) == ["red", "red"]


def test_the_wait_that_an_overloaded_server_asks_for_is_passed_on(
    classifier: TFServingClassifier, server: ServingStandIn
) -> None:
    labels_of(classifier)
    for header, seconds in (("7", 7.0), ("Wed, 21 Oct 2026 07:28:00 GMT", None)):
        server.script(faults.status(503, "busy", Retry_After=header), times=1)
        with pytest.raises(Unavailable) as raised:
            classifier.classify([RED])
        assert raised.value.retry_after == seconds
