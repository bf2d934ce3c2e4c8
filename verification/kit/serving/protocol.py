"""The documents of TensorFlow Serving's REST protocol, with its checks as `json_tensor.cc` words them."""

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

INPUT = "image_bytes"
SIGNATURE = "serving_default"


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
    """What is answered; the rest says how it is delivered: cut off by a reset after `reset_after` bytes,
    byte by byte with `drip` seconds between two bytes, or never."""

    status: int
    body: bytes
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    reset_after: int | None = None
    drip: float | None = None
    never: bool = False


class ProtocolError(Exception):
    """An error that is answered as `{"error": …}`."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


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


def encoded_rows(rows: list[list[float]], by_row: bool) -> bytes:
    """The answer for rows of probabilities, in row or in column format."""
    classes = [row.index(max(row)) for row in rows]
    if by_row:
        predictions = [
            {"classes": best, "probabilities": row} for best, row in zip(classes, rows, strict=True)
        ]
        return orjson.dumps({"predictions": predictions})
    return orjson.dumps({"outputs": {"classes": classes, "probabilities": rows}})
