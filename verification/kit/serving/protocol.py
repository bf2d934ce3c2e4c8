"""TensorFlow Serving's REST protocol as a function from request to answer: no sockets here.

Routes, checks and wording follow `http_rest_api_handler.cc`, `json_tensor.cc`, `server_core.cc` and
`get_model_status_impl.cc` of tensorflow/serving.
"""

import base64
import binascii
import hashlib
import json
import re
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import orjson

from classifyd.core.errors import Failed
from classifyd.core.ports import Classifier
from classifyd.core.values import Image, Origin, Prediction, Rejected, Source

AVAILABLE = "AVAILABLE"
INPUT = "image_bytes"
SIGNATURE = "serving_default"

_NO_SUCH_PAGE = b"<HTML><HEAD>\n<TITLE>404 Not Found</TITLE>\n</HEAD><BODY><H1>Not Found</H1></BODY></HTML>\n"
_VERSION = r"(?:/versions/(?P<version>\d+)|/labels/(?P<label>[^/:]+))?"
_PREDICT = re.compile(rf"(?i)/v1/models/(?P<model>[^/:]+){_VERSION}:(?P<method>classify|regress|predict)")
_STATUS = re.compile(rf"(?i)/v1/models(?:/(?P<model>[^/:]+))?{_VERSION}(?P<metadata>/metadata)?")


@dataclass(frozen=True)
class Request:
    """What was asked. `kind` is predict, status, metadata or other; `pictures` holds their SHA-256."""

    method: str
    path: str
    body: bytes = field(default=b"", repr=False)
    kind: str = "other"
    pictures: tuple[str, ...] = ()


@dataclass(frozen=True)
class Answer:
    """What is answered; the rest says how it is delivered: cut off by a reset, byte by byte with
    `drip` seconds between two bytes, or never."""

    status: int
    body: bytes
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    reset: bool = False
    drip: float | None = None
    never: bool = False


@dataclass(frozen=True)
class Version:
    """One version of a model: who answers for it and its state."""

    classifier: Classifier
    classes: int
    state: str = AVAILABLE


class ProtocolError(Exception):
    """An error that is answered as `{"error": …}`."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Servables:
    """The models that are served, by name and version, and the labels of versions."""

    def __init__(self, max_batch: int | None = None) -> None:
        self.max_batch = max_batch
        self._versions: dict[str, dict[int, Version]] = {}
        self._labels: dict[tuple[str, str], int] = {}
        self._lock = threading.Lock()

    def load(self, model: str, version: int, classifier: Classifier, state: str = AVAILABLE) -> None:
        """Serves a classifier, whose `top_k` must be all its classes, as a version of a model."""
        classes = len(classifier.probe().labels)
        with self._lock:
            self._versions.setdefault(model, {})[version] = Version(classifier, classes, state)

    def set_state(self, model: str, version: int, state: str) -> None:
        """Moves a version to START, LOADING, AVAILABLE, UNLOADING or END."""
        with self._lock:
            versions = self._versions[model]
            versions[version] = replace(versions[version], state=state)

    def unload(self, model: str, version: int) -> None:
        """Takes a version away, with its status."""
        with self._lock:
            del self._versions[model][version]

    def label(self, model: str, label: str, version: int) -> None:
        """Names a version, so that it can be asked for as `/labels/<label>`."""
        self._labels[model, label] = version

    def answer(self, method: str, path: str, body: bytes) -> tuple[Request, Answer]:
        """The answer of a server without faults, and what it took the request for."""
        request = Request(method, path, body)
        if not path.lower().startswith("/v1/"):
            return request, Answer(404, _NO_SUCH_PAGE, "text/html")
        try:
            if method == "POST" and (match := _PREDICT.fullmatch(path)):
                return self._predict(request, match)
            if method == "GET" and (match := _STATUS.fullmatch(path)):
                kind = "metadata" if match["metadata"] else "status"
                request = replace(request, kind=kind)
                document = self._metadata(match) if match["metadata"] else self._status(match)
                return request, Answer(200, json.dumps(document, indent=1).encode())
            raise ProtocolError(400, f"Malformed request: {method} {path}")
        except ProtocolError as error:
            return request, error_answer(error.status, str(error))

    def _predict(self, request: Request, match: re.Match[str]) -> tuple[Request, Answer]:
        request = replace(request, kind="predict")
        try:
            version = self._version(match)
            if match["method"].lower() != "predict":
                raise ProtocolError(400, f"Expected {match['method'].lower()} signature method_name")
            by_row, pictures = decoded_pictures(request.body)
            digests = tuple(hashlib.sha256(picture).hexdigest() for picture in pictures)
            request = replace(request, pictures=digests)
            if self.max_batch is not None and len(pictures) > self.max_batch:
                raise ProtocolError(
                    400,
                    f"Task size {len(pictures)} is larger than maximum input batch size {self.max_batch}",
                )
            rows = _rows(version, pictures)
        except ProtocolError as error:
            return request, error_answer(error.status, str(error))
        return request, Answer(200, _encoded(rows, by_row))

    def _version(self, match: re.Match[str]) -> Version:
        model = match["model"]
        versions = self._versions.get(model, {})
        if match["label"]:
            if (model, match["label"]) not in self._labels:
                raise ProtocolError(400, f"Unrecognized servable version label: {match['label']}")
            number = self._labels[model, match["label"]]
        elif match["version"]:
            number = int(match["version"])
        else:
            served = [number for number, version in versions.items() if version.state == AVAILABLE]
            if not served:
                raise ProtocolError(404, f"Servable not found for request: Latest({model})")
            number = max(served)
        version = versions.get(number)
        if version is None or version.state != AVAILABLE:
            raise ProtocolError(404, f"Servable not found for request: Specific({model}, {number})")
        return version

    def _status(self, match: re.Match[str]) -> dict[str, Any]:
        model = match["model"]
        if not model:
            raise ProtocolError(400, "Missing model name in request.")
        versions = self._versions.get(model, {})
        if match["version"]:
            number = int(match["version"])
            if number not in versions:
                raise ProtocolError(404, f"Could not find version {number} of model {model}")
            versions = {number: versions[number]}
        if not versions:
            raise ProtocolError(404, f"Could not find any versions of model {model}")
        return {
            "model_version_status": [
                {
                    "version": str(number),
                    "state": version.state,
                    "status": {"error_code": "OK", "error_message": ""},
                }
                for number, version in sorted(versions.items(), reverse=True)
            ]
        }

    def _metadata(self, match: re.Match[str]) -> dict[str, Any]:
        version = self._version(match)
        number = next(key for key, value in self._versions[match["model"]].items() if value is version)
        signature = {
            "inputs": {INPUT: tensor_info("DT_STRING", -1)},
            "outputs": {
                "classes": tensor_info("DT_INT64", -1),
                "probabilities": tensor_info("DT_FLOAT", -1, version.classes),
            },
            "method_name": "tensorflow/serving/predict",
        }
        return {
            "model_spec": {"name": match["model"], "signature_name": "", "version": str(number)},
            "metadata": {"signature_def": {"signature_def": {SIGNATURE: signature}}},
        }


def tensor_info(dtype: str, *sizes: int) -> dict[str, Any]:
    """A tensor as metadata describes it."""
    shape = {"dim": [{"size": str(size), "name": ""} for size in sizes], "unknown_rank": False}
    return {"dtype": dtype, "tensor_shape": shape, "name": ""}


def error_answer(status: int, message: str) -> Answer:
    """An error as TensorFlow Serving words it."""
    return Answer(status, json.dumps({"error": message}).encode())


def decoded_pictures(body: bytes) -> tuple[bool, list[bytes]]:
    """The pictures of a predict request, and whether it is in row format. Raises ProtocolError."""
    document = _document(body)
    signature = document.get("signature_name", SIGNATURE) or SIGNATURE
    if signature != SIGNATURE:
        raise ProtocolError(400, f'Serving signature name: "{signature}" not found in signature def')
    if "instances" in document and "inputs" in document:
        raise ProtocolError(
            400,
            "JSON Value: {} Not formatted correctly expecting only one of 'inputs' or 'instances' keys to"
            " exist ",
        )
    if "instances" in document:
        instances = document["instances"]
        if not isinstance(instances, list):
            raise ProtocolError(400, "JSON Value: {} Excepting 'instances' to be an list/array")
        if not instances:
            raise ProtocolError(400, "JSON Value: {} No values in 'instances' array")
        return True, [_instance(position, value) for position, value in enumerate(instances)]
    if "inputs" in document:
        inputs = document["inputs"]
        if isinstance(inputs, dict) and "b64" not in inputs:
            if INPUT not in inputs:
                raise ProtocolError(400, f"Missing named input: {INPUT} in 'inputs' object.")
            inputs = inputs[INPUT]
        if not isinstance(inputs, list):
            raise ProtocolError(400, "Tensor name: input has no batch dimension")
        return False, [_base64(value) for value in inputs]
    raise ProtocolError(400, "Missing 'inputs' or 'instances' key")


def _document(body: bytes) -> dict[str, Any]:
    if not body:
        raise ProtocolError(400, "JSON Parse error: The document is empty")
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise ProtocolError(400, f"JSON Parse error: Invalid value. at offset: {error.pos}") from error
    if not isinstance(document, dict):
        raise ProtocolError(400, "JSON Value: Is not object")
    return document


def _instance(position: int, value: Any) -> bytes:
    if isinstance(value, dict) and set(value) != {"b64"}:
        if set(value) != {INPUT}:
            raise ProtocolError(
                400,
                f"Failed to process element: {position} of 'instances' list. JSON object: keys must be equal"
                f" to: {INPUT}",
            )
        value = value[INPUT]
    return _base64(value)


def _base64(value: Any) -> bytes:
    if isinstance(value, str):
        return value.encode()
    if not isinstance(value, dict) or set(value) != {"b64"}:
        raise ProtocolError(400, "JSON Value: is not of expected type: string")
    try:
        return base64.b64decode(value["b64"], validate=True)
    except (binascii.Error, TypeError, ValueError) as error:
        raise ProtocolError(400, "Unable to base64 decode") from error


def _rows(version: Version, pictures: Sequence[bytes]) -> list[list[float]]:
    now = datetime.now(UTC)
    images = [
        Image(Origin(Source.HTTP, f"stand-in:{index}"), picture, None, len(picture), None, None, now)
        for index, picture in enumerate(pictures)
    ]
    rows = []
    for image, answer in zip(images, version.classifier.classify(images), strict=True):
        if isinstance(answer, Rejected):  # one bad picture fails its whole batch
            raise ProtocolError(
                400,
                f"Invalid JPEG data or crop window, data size {image.size_bytes}"
                "\n\t [[{{node map/while/DecodeJpeg}}]]",
            )
        if not isinstance(answer, Prediction):
            raise ProtocolError(500 if isinstance(answer, Failed) else 503, str(answer))
        row = [0.0] * version.classes
        for candidate in answer.top:
            row[candidate.class_index] = candidate.probability
        rows.append(row)
    return rows


def _encoded(rows: list[list[float]], by_row: bool) -> bytes:
    classes = [row.index(max(row)) for row in rows]
    if by_row:
        predictions = [
            {"classes": best, "probabilities": row} for best, row in zip(classes, rows, strict=True)
        ]
        return orjson.dumps({"predictions": predictions})
    return orjson.dumps({"outputs": {"classes": classes, "probabilities": rows}})
