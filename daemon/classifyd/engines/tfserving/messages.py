"""The messages of TensorFlow Serving's gRPC interface.

Their fields have the numbers of predict.proto, model.proto, get_model_status.proto and
get_model_metadata.proto (tensorflow/serving), tensor.proto, tensor_shape.proto and
meta_graph.proto (tensorflow).
"""

from collections.abc import Iterable, Mapping, Sequence
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classifyd.engines.tfserving.signature import Signature
from classifyd.engines.tfserving.wire import (
    Field,
    Malformed,
    as_bytes,
    as_number,
    fields,
    mapped,
    number,
    parts,
    sized,
)

_STATES = {0: "UNKNOWN", 10: "START", 20: "LOADING", 30: "AVAILABLE", 40: "UNLOADING", 50: "END"}
_FLOAT, _DOUBLE, _STRING = 1, 2, 7
_TYPES = {_FLOAT: "DT_FLOAT", _DOUBLE: "DT_DOUBLE", 3: "DT_INT32", 4: "DT_UINT8", _STRING: "DT_STRING"} | {
    9: "DT_INT64",
    10: "DT_BOOL",
    14: "DT_BFLOAT16",
    19: "DT_HALF",
}
_CONTENT = 4
_NUMBERS = {_FLOAT: (5, "<f4"), _DOUBLE: (6, "<f8")}
"""By a tensor's type: the field of its numbers, where they are not in `tensor_content`, and their format."""


def status_request(model: str) -> bytes:
    """GetModelStatusRequest for all versions."""
    return b"".join(_spec(model))


def metadata_request(model: str, version: int) -> bytes:
    """GetModelMetadataRequest for the signatures."""
    return b"".join((*_spec(model, version), *sized(2, b"signature_def")))


def predict_request(model: str, version: int, signature: Signature, pictures: Sequence[bytes]) -> bytes:
    """PredictRequest with a tensor of encoded pictures, for nothing but the probabilities."""
    shape = sized(2, *sized(2, number(1, len(pictures))))
    strings = (piece for picture in pictures for piece in sized(8, picture))
    tensor = (number(1, _STRING), *shape, *strings)
    inputs = sized(2, *sized(1, signature.input.encode()), *sized(2, *tensor))
    return b"".join((*_spec(model, version, signature.name), *inputs, *sized(3, signature.output.encode())))


def states(answer: bytes) -> dict[int, str]:
    """The state of each version, of a GetModelStatusResponse. Raises Malformed."""
    told = (dict(fields(entry)) for entry in parts(memoryview(answer), 1))
    return {as_number(entry.get(1, 0)): _STATES.get(as_number(entry.get(2, 0)), "UNKNOWN") for entry in told}


def metadata(answer: bytes) -> Mapping[str, Any]:
    """The signatures of a GetModelMetadataResponse, as REST tells them. Raises Malformed."""
    anything = mapped(memoryview(answer), 2).get("signature_def")
    if anything is None:
        raise Malformed("no signatures")
    signatures = {
        name: {"inputs": _tensors(signature, 1), "outputs": _tensors(signature, 2)}
        for value in parts(anything, 2)
        for name, signature in mapped(value, 1).items()
    }
    return {"metadata": {"signature_def": {"signature_def": signatures}}}


def probabilities(answer: bytes, output: str) -> NDArray[np.floating]:
    """The numbers of one output of a PredictResponse, in their shape. Raises Malformed."""
    tensor = mapped(memoryview(answer), 1).get(output)
    if tensor is None:
        raise Malformed(f"no output {output!r}")
    kind, shape = 0, list[int]()
    found: dict[int, list[Field]] = {}
    for field, value in fields(tensor):
        if field == 1:
            kind = as_number(value)
        elif field == 2:
            shape = _sizes(as_bytes(value))
        else:
            found.setdefault(field, []).append(value)
    if kind not in _NUMBERS:
        raise Malformed(f"output {output!r} is of {_type(kind)}")
    field, format_ = _NUMBERS[kind]
    pieces = [as_bytes(value) for value in found.get(_CONTENT) or found.get(field, [])]
    numbers = _numbers(pieces, format_)
    if min(shape, default=0) < 0 or prod(shape) != len(numbers):
        raise Malformed(f"output {output!r} has {len(numbers)} numbers for the shape {shape}")
    try:
        return numbers.reshape(shape)
    except ValueError as error:  # of more dimensions, or larger ones beside a 0, than numpy knows
        raise Malformed(str(error)) from error


def _spec(model: str, version: int | None = None, signature: str | None = None) -> Iterable[bytes]:
    """ModelSpec, the first field of every request."""
    pinned = sized(2, number(1, version)) if version is not None else ()
    called = sized(3, signature.encode()) if signature is not None else ()
    return sized(1, *sized(1, model.encode()), *pinned, *called)


def _tensors(signature: memoryview, field: int) -> dict[str, Any]:
    """The inputs or the outputs of a SignatureDef."""
    return {name: _tensor(dict(fields(info))) for name, info in mapped(signature, field).items()}


def _tensor(info: Mapping[int, Field]) -> dict[str, Any]:
    dimensions = _sizes(as_bytes(info.get(3, memoryview(b""))))
    return {
        "dtype": _type(as_number(info.get(2, 0))),
        "tensor_shape": {"dim": [{"size": str(size)} for size in dimensions]},
    }


def _type(kind: int) -> str:
    return _TYPES.get(kind, f"type {kind}")


def _sizes(shape: memoryview) -> list[int]:
    """The dimensions of a TensorShapeProto."""
    return [as_number(dict(fields(dimension)).get(1, 0)) for dimension in parts(shape, 2)]


def _numbers(pieces: Sequence[memoryview], format_: str) -> NDArray[np.floating]:
    packed = pieces[0] if len(pieces) == 1 else b"".join(pieces)
    try:
        return np.frombuffer(packed, format_)
    except ValueError as error:  # cut through a number
        raise Malformed(str(error)) from error
