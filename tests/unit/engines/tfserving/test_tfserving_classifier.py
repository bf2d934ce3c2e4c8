"""The TensorFlow Serving engine: versions, labels, and what every kind of answer means."""

import json
import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from verification.kit.colours import LABELS
from verification.kit.pictures import image, jpeg
from verification.kit.serving import ServingStandIn, faults

from classifyd.core.errors import ClassifierError, ConfigurationError, Failed, Refused, Unavailable
from classifyd.core.values import Prediction
from classifyd.engines.onnx import OnnxClassifier
from classifyd.engines.tfserving import TFServingClassifier, TFServingConfig, api

Connect = Callable[..., TFServingClassifier]
RED, GREEN = image(jpeg("red")), image(jpeg("green"))
SHORT = 0.4  # seconds: long enough for the stand-in, short enough to wait for


def labels_of(classifier: TFServingClassifier, *pictures: object) -> list[str]:
    answers = classifier.classify(pictures or (RED, GREEN))
    assert all(isinstance(answer, Prediction) for answer in answers), answers
    return [answer.best.label for answer in answers]


def versions_asked(server: ServingStandIn) -> list[str]:
    return [
        request.path.split("/")[5].split(":")[0] for request in server.requests if request.kind == "predict"
    ]


def test_it_answers_as_the_embedded_engine_does(
    classifier: TFServingClassifier, behind: OnnxClassifier
) -> None:
    pictures = [image(jpeg(colour)) for colour in LABELS]
    for served, embedded in zip(classifier.classify(pictures), behind.classify(pictures), strict=True):
        assert isinstance(served, Prediction)
        assert isinstance(embedded, Prediction)
        assert served.best.label == embedded.best.label
        assert math.isclose(served.best.probability, embedded.best.probability, rel_tol=1e-6)


def test_it_says_what_is_served(classifier: TFServingClassifier, server: ServingStandIn) -> None:
    info = classifier.probe()
    assert (info.name, info.engine, info.version, info.labels) == ("colours", "tfserving", "1", LABELS)
    assert info.details == {"url": server.url, "signature": "serving_default"}


def test_without_labels_classes_are_named_by_index(connect: Connect) -> None:
    classifier = connect(labels=None)
    assert classifier.probe().labels == ("0", "1", "2", "3")
    assert labels_of(classifier) == ["0", "1"]


def test_credentials_in_the_address_are_told_nobody(connect: Connect, server: ServingStandIn) -> None:
    classifier = connect(url=server.url.replace("http://", "http://user:secret@"))
    assert "secret" not in str(classifier.probe())
    server.stop()
    with pytest.raises(Unavailable) as raised:
        classifier.probe()
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize("suffix", ["/", "/v1", "/v1/"])
def test_the_address_may_be_written_in_several_ways(
    connect: Connect, server: ServingStandIn, suffix: str
) -> None:
    assert connect(url=server.url + suffix).probe().version == "1"


@pytest.mark.parametrize("url", ["127.0.0.1:8501", "grpc://127.0.0.1:8500", "http://", ""])
def test_what_is_no_address_refuses_the_start(url: str) -> None:
    with pytest.raises(ConfigurationError, match="write http://HOST:PORT"):
        TFServingClassifier(TFServingConfig("m", url))


def test_a_version_is_latest_or_a_number() -> None:
    with pytest.raises(ConfigurationError, match="version 'newest'"):
        TFServingClassifier(TFServingConfig("m", "http://127.0.0.1:1", version="newest"))


def test_labels_unlike_the_outputs_do_not_fit(connect: Connect, tmp_path: Path) -> None:
    short = tmp_path / "short.txt"
    short.write_text("red\ngreen\n")
    classifier = connect(labels=short)
    with pytest.raises(ConfigurationError, match="4 outputs but 2 labels"):
        classifier.probe()
    with pytest.raises(Unavailable, match="4 outputs but 2 labels"):  # no picture is to blame
        classifier.classify([RED])


# Versions


def test_the_newest_served_version_is_asked_by_number(
    classifier: TFServingClassifier, server: ServingStandIn, behind: OnnxClassifier
) -> None:
    server.servables.load("colours", 10, behind)
    server.servables.load("colours", 9, behind)
    server.servables.load("colours", 11, behind, state="LOADING")
    [answer] = classifier.classify([RED])
    assert isinstance(answer, Prediction)
    assert answer.model_version == "10"
    assert versions_asked(server) == ["10"]


def test_the_newest_is_the_highest_number_in_whatever_order(
    classifier: TFServingClassifier, server: ServingStandIn, behind: OnnxClassifier
) -> None:
    server.servables.load("colours", 10, behind)
    versions = [{"version": version, "state": "AVAILABLE"} for version in ("1", "10", "9")]
    server.script(faults.body(json.dumps({"model_version_status": versions}).encode()), kind="status")
    assert classifier.probe().version == "10"


def test_a_configured_version_is_kept(
    connect: Connect, server: ServingStandIn, behind: OnnxClassifier
) -> None:
    server.servables.load("colours", 2, behind)
    classifier = connect(version="1")
    assert classifier.probe().version == "1"
    server.servables.unload("colours", 1)
    with pytest.raises(Unavailable, match=r"version 1 is not served by .*; versions there: 2 AVAILABLE"):
        classifier.classify([RED])


def test_a_version_that_is_replaced_meanwhile_costs_nothing(
    classifier: TFServingClassifier, server: ServingStandIn, behind: OnnxClassifier
) -> None:
    labels_of(classifier)
    server.servables.load("colours", 2, behind)
    server.servables.unload("colours", 1)
    [answer] = classifier.classify([RED])
    assert isinstance(answer, Prediction)
    assert answer.model_version == "2"
    assert versions_asked(server) == ["1", "1", "2"]


def test_a_newer_version_is_noticed_after_the_refresh(
    connect: Connect, server: ServingStandIn, behind: OnnxClassifier
) -> None:
    patient, eager = connect(version_refresh=3600.0), connect(version_refresh=0.0)
    labels_of(patient)
    labels_of(eager)
    server.servables.load("colours", 2, behind)
    server.requests.clear()
    labels_of(patient)
    labels_of(eager)
    assert versions_asked(server) == ["1", "2"]


def test_metadata_is_asked_once_for_each_version(connect: Connect, server: ServingStandIn) -> None:
    classifier = connect(version_refresh=0.0)
    for _ in range(3):
        labels_of(classifier)
    assert [request.kind for request in server.requests].count("metadata") == 1


def test_a_model_that_is_loading_is_away(classifier: TFServingClassifier, server: ServingStandIn) -> None:
    server.servables.set_state("colours", 1, "LOADING")
    for ask in (classifier.probe, lambda: classifier.classify([RED])):
        with pytest.raises(Unavailable, match="versions there: 1 LOADING"):
            ask()
    server.servables.set_state("colours", 1, "AVAILABLE")
    assert labels_of(classifier) == ["red", "green"]


def test_a_model_of_another_name_is_away_with_a_hint(connect: Connect) -> None:
    with pytest.raises(Unavailable, match=r"404: Could not find any versions .*its name right"):
        connect(model="other").probe()


# What an answer means


@pytest.mark.parametrize(
    ("fault", "meaning", "told"),
    [
        (faults.status(400, "Invalid JPEG data"), Refused, "answered 400: Invalid JPEG data"),
        (faults.status(413, "too large"), Refused, "413"),
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
        (faults.status(302, "moved", Location="/v1/models/colours"), Unavailable, "answered 302: Found"),
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


@pytest.mark.parametrize("kind", ["status", "metadata"])
@pytest.mark.parametrize("code", [400, 404, 500, 503])
def test_no_picture_is_to_blame_for_an_error_before_it_is_sent(
    classifier: TFServingClassifier, server: ServingStandIn, kind: str, code: int
) -> None:
    server.script(faults.status(code, "no"), kind=kind)
    with pytest.raises(Unavailable, match=f"{code}: no"):
        classifier.classify([RED])


@pytest.mark.parametrize(
    "body", [b'{"predictions": 1}', b'{"predictions": [1, 2]}', b'{"outputs": []}', b"[]", b"", b"{"]
)
def test_an_answer_of_another_kind_is_no_verdict(
    classifier: TFServingClassifier, server: ServingStandIn, body: bytes
) -> None:
    server.script(faults.body(body))
    with pytest.raises(Unavailable):
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


@pytest.mark.parametrize("body", [b'{"model_version_status": 1}', b'{"model_version_status": [{}]}', b"{}"])
def test_a_status_of_another_kind_is_an_outage(
    classifier: TFServingClassifier, server: ServingStandIn, body: bytes
) -> None:
    server.script(faults.body(body), kind="status")
    with pytest.raises(Unavailable, match="its status is no list of versions"):
        classifier.probe()


def test_a_picture_of_nan_fails_alone(classifier: TFServingClassifier, server: ServingStandIn) -> None:
    server.script(faults.not_a_number(1))
    red, green = classifier.classify([RED, GREEN])
    assert isinstance(red, Prediction)
    assert isinstance(green, Failed)


def test_one_bad_picture_fails_its_batch_and_only_that(
    classifier: TFServingClassifier, server: ServingStandIn
) -> None:
    server.script(faults.refuse_picture(GREEN.sha256 or ""))
    with pytest.raises(Refused):
        classifier.classify([RED, GREEN])
    assert labels_of(classifier, RED) == ["red"]


def test_a_batch_that_is_too_large_is_refused_with_the_servers_words(
    connect: Connect, behind: OnnxClassifier
) -> None:
    with ServingStandIn({"colours": behind}, max_batch=2) as small:
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


# Connections


def test_a_server_that_is_gone_is_away_and_found_again(
    classifier: TFServingClassifier, server: ServingStandIn
) -> None:
    assert labels_of(classifier) == ["red", "green"]
    server.stop()
    with pytest.raises(Unavailable, match=r"cannot be reached: .*refused"):
        classifier.classify([RED])
    server.start()
    assert labels_of(classifier) == ["red", "green"]


def test_a_connection_is_kept(classifier: TFServingClassifier, server: ServingStandIn) -> None:
    for _ in range(3):
        assert labels_of(classifier) == ["red", "green"]
    server.script(faults.status(503, "busy"), times=1)
    with pytest.raises(Unavailable):
        classifier.classify([RED])
    assert labels_of(classifier) == ["red", "green"]
    assert server.connections == 1


def test_an_endless_answer_is_not_kept_in_memory(
    classifier: TFServingClassifier, server: ServingStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api, "_LONGEST_ANSWER", 2000)
    assert classifier.probe().version == "1"
    server.script(faults.body(b" " * 2001))
    with pytest.raises(Unavailable, match="more than 2000 bytes"):
        classifier.classify([RED])
    server.heal()
    assert labels_of(classifier) == ["red", "green"]


def test_a_kept_connection_that_the_server_closed_is_opened_again(
    classifier: TFServingClassifier, server: ServingStandIn
) -> None:
    assert labels_of(classifier) == ["red", "green"]
    server.stop()
    server.start()
    assert labels_of(classifier) == ["red", "green"]


def test_a_single_reset_is_asked_once_more(classifier: TFServingClassifier, server: ServingStandIn) -> None:
    server.script(faults.reset(), times=1)
    assert labels_of(classifier) == ["red", "green"]


def test_a_name_that_nobody_knows_is_an_outage(connect: Connect) -> None:
    with pytest.raises(Unavailable, match=r"model\.invalid"):
        connect(url="http://model.invalid:8501").probe()


@pytest.mark.parametrize("kind", ["predict", "status", "metadata"])
def test_a_server_that_hangs_is_given_up_at_the_deadline(
    connect: Connect, server: ServingStandIn, kind: str
) -> None:
    classifier = connect(timeout=SHORT)
    server.script(faults.hang(), kind=kind)
    with pytest.raises(Unavailable, match="did not answer in time"):
        classifier.classify([RED])


def test_a_server_that_drips_is_given_up_at_the_deadline(connect: Connect, server: ServingStandIn) -> None:
    classifier = connect(timeout=SHORT)
    server.script(faults.drip(SHORT / 20))
    with pytest.raises(Unavailable, match="did not answer in time"):
        classifier.classify([RED])


def test_the_environments_proxy_is_ignored_and_a_configured_one_used(
    connect: Connect, server: ServingStandIn, behind: OnnxClassifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", "")
    assert labels_of(connect()) == ["red", "green"]
    server.requests.clear()
    with pytest.raises(Unavailable, match=r"http://model\.invalid:8501 answered 404"):
        connect(url="http://model.invalid:8501", proxy=server.url).probe()
    assert [request.path for request in server.requests] == ["http://model.invalid:8501/v1/models/colours"]


def test_threads_share_it(classifier: TFServingClassifier) -> None:
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(lambda _: labels_of(classifier), range(12), timeout=60))
    assert answers == [["red", "green"]] * 12
