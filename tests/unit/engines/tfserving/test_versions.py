"""Which version of a served model is asked."""

import json

import pytest

from classifyd.core.errors import Unavailable
from classifyd.core.values import Prediction
from classifyd.engines.onnx import OnnxClassifier
from classifyd.engines.tfserving import TFServingClassifier
from tests.unit.engines.tfserving.asking import RED, Connect, each_transport, labels_of, versions_asked
from verification.kit.serving import ServingStandIn, faults

pytestmark = each_transport


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
    with pytest.raises(Unavailable, match=r"(404|NOT_FOUND): Could not find any versions .*its name right"):
        connect(model="other").probe()
