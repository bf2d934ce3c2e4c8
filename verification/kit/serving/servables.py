"""The models that the stand-in serves, and its routes: a function from request to answer, without sockets.

Routes and wording follow `http_rest_api_handler.cc`, `server_core.cc` and `get_model_status_impl.cc` of
tensorflow/serving.
"""

import hashlib
import json
import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from classifyd.core.errors import Failed
from classifyd.core.ports import Classifier
from classifyd.core.values import Image, Origin, Prediction, Rejected, Source
from verification.kit.serving.protocol import (
    INPUT,
    SIGNATURE,
    Answer,
    ProtocolError,
    Request,
    decoded_pictures,
    encoded_rows,
    error_answer,
    tensor_info,
)

AVAILABLE = "AVAILABLE"

_NO_SUCH_PAGE = b"<HTML><HEAD>\n<TITLE>404 Not Found</TITLE>\n</HEAD><BODY><H1>Not Found</H1></BODY></HTML>\n"
_VERSION = r"(?:/versions/(?P<version>\d+)|/labels/(?P<label>[^/:]+))?"
_PREDICT = re.compile(rf"(?i)/v1/models/(?P<model>[^/:]+){_VERSION}:(?P<method>classify|regress|predict)")
_STATUS = re.compile(rf"(?i)/v1/models(?:/(?P<model>[^/:]+))?{_VERSION}(?P<metadata>/metadata)?")


@dataclass(frozen=True)
class Version:
    """One version of a model: who answers for it and its state."""

    classifier: Classifier
    classes: int
    state: str = AVAILABLE


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
        return request, Answer(200, encoded_rows(rows, by_row))

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
