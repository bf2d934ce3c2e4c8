"""The TensorFlow Serving engine: what it answers, says of itself, and refuses to start with."""

import math
from pathlib import Path

import pytest

from classifyd.core.errors import ConfigurationError, Unavailable
from classifyd.core.values import Prediction
from classifyd.engines.onnx import OnnxClassifier
from classifyd.engines.tfserving import TFServingClassifier, TFServingConfig
from tests.unit.engines.tfserving.asking import RED, Connect, each_transport, labels_of
from verification.kit.colours import LABELS
from verification.kit.pictures import image, jpeg
from verification.kit.serving import ServingStandIn


@each_transport
def test_it_answers_as_the_embedded_engine_does(
    classifier: TFServingClassifier, behind: OnnxClassifier
) -> None:
    pictures = [image(jpeg(colour)) for colour in LABELS]
    for served, embedded in zip(classifier.classify(pictures), behind.classify(pictures), strict=True):
        assert isinstance(served, Prediction)
        assert isinstance(embedded, Prediction)
        assert served.best.label == embedded.best.label
        assert math.isclose(served.best.probability, embedded.best.probability, rel_tol=1e-6)


@each_transport
def test_it_says_what_is_served(classifier: TFServingClassifier, server: ServingStandIn) -> None:
    info = classifier.probe()
    assert (info.name, info.engine, info.version, info.labels) == ("colours", "tfserving", "1", LABELS)
    assert info.details == {"url": server.url, "signature": "serving_default"}


@each_transport
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


@pytest.mark.parametrize("url", ["127.0.0.1:8501", "http://", ""])
def test_what_is_no_address_refuses_the_start(url: str) -> None:
    with pytest.raises(ConfigurationError, match="write http://HOST:PORT"):
        TFServingClassifier(TFServingConfig("m", url))


@pytest.mark.parametrize("suffix", ["/?key=s3cret", "#v1"])
def test_what_is_not_sent_of_an_address_refuses_the_start(suffix: str) -> None:
    with pytest.raises(ConfigurationError, match=r"http://model:8501\) is not sent: leave it out"):
        TFServingClassifier(TFServingConfig("m", f"http://me:s3cret@model:8501{suffix}"))


def test_an_address_of_an_impossible_port_refuses_the_start_and_tells_no_password() -> None:
    with pytest.raises(
        ConfigurationError, match=r"http://127.0.0.1:99999, or its proxy, is no address"
    ) as raised:
        TFServingClassifier(TFServingConfig("m", "http://user:secret@127.0.0.1:99999"))
    assert "secret" not in str(raised.value)


def test_a_version_is_latest_or_a_number() -> None:
    with pytest.raises(ConfigurationError, match="version 'newest'"):
        TFServingClassifier(TFServingConfig("m", "http://127.0.0.1:1", version="newest"))


@each_transport
def test_labels_unlike_the_outputs_do_not_fit(connect: Connect, tmp_path: Path) -> None:
    short = tmp_path / "short.txt"
    short.write_text("red\ngreen\n")
    classifier = connect(labels=short)
    with pytest.raises(ConfigurationError, match="4 outputs but 2 labels"):
        classifier.probe()
    with pytest.raises(Unavailable, match="4 outputs but 2 labels"):  # no picture is to blame
        classifier.classify([RED])
