"""The stand-in speaks TensorFlow Serving's protocol: routes, both formats, wording of errors."""

import base64
import json
from typing import Any

import pytest

from classifyd.engines.onnx import OnnxClassifier
from verification.kit.pictures import jpeg, without_segment
from verification.kit.serving.servables import Servables


@pytest.fixture
def servables(classifier: OnnxClassifier) -> Servables:
    servables = Servables(max_batch=3)
    servables.load("m", 1, classifier)
    servables.load("m", 2, classifier)
    servables.load("m", 3, classifier, state="LOADING")
    servables.label("m", "stable", 1)
    return servables


def encoded(colour: str) -> dict[str, str]:
    return {"b64": base64.b64encode(jpeg(colour)).decode()}


def ask(servables: Servables, method: str, path: str, document: Any = None) -> tuple[int, Any]:
    body = b"" if document is None else json.dumps(document).encode()
    _, answer = servables.answer(method, path, body)
    return answer.status, json.loads(answer.body)


@pytest.mark.parametrize("where", ["m", "m/versions/2", "m/labels/stable"])
def test_row_format_answers_with_a_prediction_for_each_instance(servables: Servables, where: str) -> None:
    instances = [encoded("red"), {"image_bytes": encoded("blue")}]
    status, answer = ask(servables, "POST", f"/v1/models/{where}:predict", {"instances": instances})
    assert status == 200
    assert [prediction["classes"] for prediction in answer["predictions"]] == [0, 2]
    assert [len(prediction["probabilities"]) for prediction in answer["predictions"]] == [4, 4]


@pytest.mark.parametrize("named", [False, True])
def test_column_format_answers_with_columns(servables: Servables, named: bool) -> None:
    pictures = [encoded("red"), encoded("green")]
    document = {"inputs": {"image_bytes": pictures} if named else pictures}
    status, answer = ask(servables, "POST", "/v1/models/m:predict", document)
    assert status == 200
    assert answer["outputs"]["classes"] == [0, 1]
    assert len(answer["outputs"]["probabilities"]) == 2


def test_status_tells_the_state_of_each_version(servables: Servables) -> None:
    status, answer = ask(servables, "GET", "/v1/models/m")
    told = [(entry["version"], entry["state"]) for entry in answer["model_version_status"]]
    assert (status, told) == (200, [("3", "LOADING"), ("2", "AVAILABLE"), ("1", "AVAILABLE")])
    _, answer = ask(servables, "GET", "/v1/models/m/versions/1")
    assert [entry["version"] for entry in answer["model_version_status"]] == ["1"]


def test_metadata_tells_the_signature(servables: Servables) -> None:
    status, answer = ask(servables, "GET", "/v1/models/m/metadata")
    assert status == 200
    assert answer["model_spec"]["version"] == "2"
    signature = answer["metadata"]["signature_def"]["signature_def"]["serving_default"]
    assert signature["inputs"]["image_bytes"]["dtype"] == "DT_STRING"
    assert signature["outputs"]["probabilities"]["tensor_shape"]["dim"][-1]["size"] == "4"


UNDECODABLE = {"b64": base64.b64encode(without_segment(jpeg("red"), 0xDB)).decode()}


@pytest.mark.parametrize(
    ("method", "path", "document", "status", "told"),
    [
        ("POST", "/v1/models/x:predict", {}, 404, "Servable not found for request: Latest(x)"),
        ("POST", "/v1/models/m/versions/9:predict", {}, 404, "request: Specific(m, 9)"),
        ("POST", "/v1/models/m/versions/3:predict", {}, 404, "request: Specific(m, 3)"),
        ("POST", "/v1/models/m/labels/x:predict", {}, 400, "Unrecognized servable version label: x"),
        ("GET", "/v1/models/x", None, 404, "Could not find any versions of model x"),
        ("GET", "/v1/models/m/versions/9", None, 404, "Could not find version 9 of model m"),
        ("GET", "/v1/models", None, 400, "Missing model name in request."),
        ("GET", "/v1/models/m:predict", None, 400, "Malformed request: GET /v1/models/m:predict"),
        ("POST", "/v1/models/m:classify", {}, 400, "Expected classify signature"),
        ("POST", "/v1/models/m:predict", None, 400, "JSON Parse error: The document is empty"),
        ("POST", "/v1/models/m:predict", [], 400, "Is not object"),
        ("POST", "/v1/models/m:predict", {}, 400, "Missing 'inputs' or 'instances' key"),
        ("POST", "/v1/models/m:predict", {"instances": [1], "inputs": [1]}, 400, "expecting only one of"),
        ("POST", "/v1/models/m:predict", {"instances": []}, 400, "No values in 'instances' array"),
        ("POST", "/v1/models/m:predict", {"instances": {}}, 400, "Excepting 'instances' to be an list"),
        ("POST", "/v1/models/m:predict", {"instances": [{"x": 1}]}, 400, "keys must be equal to: image_byt"),
        ("POST", "/v1/models/m:predict", {"instances": [1]}, 400, "not of expected type"),
        ("POST", "/v1/models/m:predict", {"instances": [{"b64": "?"}]}, 400, "Unable to base64 decode"),
        ("POST", "/v1/models/m:predict", {"instances": ["text"]}, 400, "Invalid JPEG data or crop window"),
        ("POST", "/v1/models/m:predict", {"inputs": {"x": []}}, 400, "Missing named input: image_bytes"),
        ("POST", "/v1/models/m:predict", {"inputs": 1}, 400, "no batch dimension"),
        ("POST", "/v1/models/m:predict", {"instances": [UNDECODABLE]}, 400, "Invalid JPEG data or crop"),
        ("POST", "/v1/models/m:predict", {"instances": [UNDECODABLE] * 4}, 400, "Task size 4 is larger than"),
        ("POST", "/v1/models/m:predict", {"signature_name": "x"}, 400, 'signature name: "x" not found'),
    ],
)
def test_errors_are_worded_as_the_real_server_words_them(
    servables: Servables, method: str, path: str, document: Any, status: int, told: str
) -> None:
    code, answer = ask(servables, method, path, document)
    assert code == status
    assert list(answer) == ["error"]
    assert told in answer["error"]


def test_broken_json_is_told_with_its_place(servables: Servables) -> None:
    _, answer = servables.answer("POST", "/v1/models/m:predict", b'{"instances": [}')
    assert answer.status == 400
    assert b"JSON Parse error" in answer.body


def test_a_path_outside_the_protocol_is_answered_without_json(servables: Servables) -> None:
    _, answer = servables.answer("GET", "/metrics", b"")
    assert (answer.status, answer.content_type) == (404, "text/html")
