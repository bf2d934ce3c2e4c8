"""Connections to a model server that break, hang, drip, are kept or go through a proxy."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from classifyd.core.errors import Unavailable
from classifyd.engines.onnx import OnnxClassifier
from classifyd.engines.tfserving import TFServingClassifier, api
from tests.unit.engines.tfserving.asking import RED, Connect, each_transport, labels_of
from verification.kit.serving import ServingStandIn, faults

SHORT = 0.4  # seconds: long enough for the stand-in, short enough to wait for


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
    monkeypatch.setattr(api, "LONGEST_ANSWER", 2000)
    assert classifier.probe().version == "1"
    server.script(faults.body(b" " * 2001))
    with pytest.raises(Unavailable, match="more than 2000 bytes"):
        classifier.classify([RED])
    server.heal()
    assert labels_of(classifier) == ["red", "green"]


@each_transport
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
