"""The stand-in on the wire: faults to order, stopping and starting."""

import base64
import hashlib
import json
import math
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from classifyd.engines.onnx import OnnxClassifier
from verification.kit.pictures import jpeg
from verification.kit.serving import ServingStandIn, faults


def encoded(colour: str) -> dict[str, str]:
    return {"b64": base64.b64encode(jpeg(colour)).decode()}


@pytest.fixture
def server(classifier: OnnxClassifier) -> Iterator[ServingStandIn]:
    with ServingStandIn({"m": classifier}) as server:
        yield server


def predicted(server: ServingStandIn) -> requests.Response:
    url = f"{server.url}/v1/models/m:predict"
    return requests.post(url, json={"instances": [encoded("red"), encoded("blue")]}, timeout=20)


def test_a_fault_is_met_as_often_as_ordered(server: ServingStandIn) -> None:
    server.script(faults.status(503, "busy"), times=2)
    server.script(faults.status(500, "broken"), times=1)
    assert [predicted(server).status_code for _ in range(4)] == [503, 503, 500, 200]


def test_a_fault_without_number_lasts_until_healed(server: ServingStandIn) -> None:
    server.script(faults.status(503, "busy"))
    assert [predicted(server).status_code for _ in range(3)] == [503] * 3
    server.heal()
    assert predicted(server).status_code == 200


def test_faults_concern_predictions_unless_said(server: ServingStandIn) -> None:
    server.script(faults.status(503, "busy"))
    assert requests.get(f"{server.url}/v1/models/m", timeout=20).status_code == 200
    server.script(faults.status(429, "busy"), kind="status")
    assert requests.get(f"{server.url}/v1/models/m", timeout=20).status_code == 429


def test_a_fault_may_concern_one_picture(server: ServingStandIn) -> None:
    blue, green = (hashlib.sha256(jpeg(colour)).hexdigest() for colour in ("blue", "green"))
    server.script(faults.on_picture(green, faults.status(500, "broken")))
    assert predicted(server).status_code == 200
    server.script(faults.on_picture(blue, faults.status(500, "broken")))
    assert predicted(server).status_code == 500


def test_an_answer_is_reset_in_its_middle(server: ServingStandIn) -> None:
    whole = predicted(server)
    server.script(faults.reset(after=len(whole.content)))
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        predicted(server)


def test_nan_is_written_bare(server: ServingStandIn) -> None:
    server.script(faults.not_a_number(1))
    answer = predicted(server)
    assert "NaN" in answer.text
    first, second = (prediction["probabilities"] for prediction in json.loads(answer.text)["predictions"])
    assert not math.isnan(first[0])
    assert math.isnan(second[0])


def test_a_stopped_server_refuses_and_starts_again_at_its_address(server: ServingStandIn) -> None:
    url = server.url
    server.stop()
    server.stop()
    with pytest.raises(requests.ConnectionError):
        predicted(server)
    server.start()
    assert server.url == url
    assert predicted(server).status_code == 200


def test_the_pictures_of_each_request_are_remembered(server: ServingStandIn, tmp_path: Path) -> None:
    predicted(server)
    [request] = server.requests
    assert (request.kind, len(request.pictures)) == ("predict", 2)
