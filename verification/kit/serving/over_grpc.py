"""The stand-in over gRPC: a call is put to the one for REST, with its faults, and the answer translated."""

import json
import os
import threading
from base64 import b64encode
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, cast

os.environ.setdefault("GRPC_VERBOSITY", "NONE")

import grpc

from classifyd.core.ports import Classifier
from verification.kit.serving.grpc_messages import MESSAGES
from verification.kit.serving.protocol import INPUT, Answer
from verification.kit.serving.server import ServingStandIn

_CALLS = 16  # at once
_CODES = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    401: grpc.StatusCode.UNAUTHENTICATED,
    403: grpc.StatusCode.PERMISSION_DENIED,
    404: grpc.StatusCode.NOT_FOUND,
    409: grpc.StatusCode.ABORTED,
    429: grpc.StatusCode.RESOURCE_EXHAUSTED,
    500: grpc.StatusCode.INTERNAL,
    501: grpc.StatusCode.UNIMPLEMENTED,
    503: grpc.StatusCode.UNAVAILABLE,
    504: grpc.StatusCode.DEADLINE_EXCEEDED,
}
_STATES = {"START": 10, "LOADING": 20, "AVAILABLE": 30, "UNLOADING": 40, "END": 50}
_TYPES = {"DT_FLOAT": 1, "DT_DOUBLE": 2, "DT_STRING": 7, "DT_INT64": 9}


class GrpcStandIn(ServingStandIn):
    """A `ServingStandIn` that listens for gRPC instead; with a `certificate` and its key, as PEM, for TLS.

    `largest` is the longest request it takes, in bytes: any, as with TensorFlow Serving, unless it is given.
    Faults of connections (`reset`, `drip`) and pages have no meaning here.
    """

    def __init__(
        self,
        classifiers: Mapping[str, Classifier],
        host: str = "127.0.0.1",
        port: int = 0,
        max_batch: int | None = None,
        certificate: bytes | None = None,
        largest: int = -1,
    ) -> None:
        super().__init__(classifiers, host, port, max_batch)
        self._certificate = certificate
        self._options = (("grpc.max_receive_message_length", largest), ("grpc.so_reuseport", 0))
        self._listening: grpc.Server | None = None
        self._peers: set[str] = set()

    @property
    def url(self) -> str:
        """Where it is, or was before `stop`."""
        host, port = self._address
        return f"{'grpcs' if self._certificate else 'grpc'}://{host}:{port}"

    def start(self) -> None:
        """Listens."""
        server = grpc.server(ThreadPoolExecutor(_CALLS, "grpc-stand-in"), options=self._options)
        server.add_generic_rpc_handlers((_Calls(self.answer, self._met),))
        host, port = self._address
        address = f"{host}:{port}"
        if self._certificate:
            credentials = grpc.ssl_server_credentials([(self._certificate, self._certificate)])
            port = server.add_secure_port(address, credentials)
        else:
            port = server.add_insecure_port(address)
        self._address = (host, port)
        server.start()
        self._listening = server

    def _met(self, peer: str) -> None:
        self._peers.add(peer)
        self.connections = len(self._peers)

    def stop(self) -> None:
        """Closes every connection and refuses new ones. Does nothing when it is stopped."""
        server, self._listening = self._listening, None
        if server is not None:
            server.stop(None).wait()


class _Calls(grpc.GenericRpcHandler):
    """The methods, by their names."""

    def __init__(
        self,
        answer: Callable[[str, str, bytes], Answer],
        met: Callable[[str], None],
    ) -> None:
        self._answer = answer
        self._met = met
        self._methods = {
            "/tensorflow.serving.ModelService/GetModelStatus": (_status_path, _status),
            "/tensorflow.serving.PredictionService/GetModelMetadata": (_metadata_path, _metadata),
            "/tensorflow.serving.PredictionService/Predict": (_predict_path, _predict),
        }

    def service(self, call: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        found = self._methods.get(call.method)
        return found and grpc.unary_unary_rpc_method_handler(partial(self._call, *found))

    def _call(self, asked: Any, told: Any, request: bytes, context: grpc.ServicerContext) -> bytes:
        self._met(context.peer())
        try:
            question, message = asked(request)
        except ValueError as error:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        answer = self._answer(*question)
        if answer.never:
            gone = threading.Event()
            if context.add_callback(gone.set):  # the client gives up, or the server stops
                gone.wait()
        if answer.status != 200:
            error = json.loads(answer.body)["error"]
            context.abort(_CODES.get(answer.status, grpc.StatusCode.UNKNOWN), error)
        try:
            document = json.loads(answer.body)
        except ValueError:  # ordered so
            return answer.body
        return cast(bytes, told(document, message).SerializeToString())


def _predict_path(request: bytes) -> tuple[tuple[str, str, bytes], Any]:
    message = MESSAGES["PredictRequest"].FromString(request)
    inputs = {entry.key: entry.value for entry in message.inputs}
    if set(inputs) != {INPUT}:
        raise ValueError(f"input tensor alias not found in signature: {', '.join(inputs)}")
    tensor = inputs[INPUT]
    if tensor.dtype != _TYPES["DT_STRING"] or [one.size for one in tensor.tensor_shape.dim] != [
        len(tensor.string_val)
    ]:
        raise ValueError("Expects arg[0] to be string with a dimension for the batch")
    body = json.dumps(
        {
            "signature_name": message.model_spec.signature_name,
            "instances": [{"b64": b64encode(picture).decode()} for picture in tensor.string_val],
        }
    )
    return ("POST", f"{_model(message)}:predict", body.encode()), message


def _predict(document: dict[str, Any], request: Any) -> Any:
    """Only the outputs that were asked for."""
    rows = document["predictions"]
    answer = MESSAGES["PredictResponse"](model_spec=request.model_spec)
    if "probabilities" in request.output_filter:
        numbers = [row["probabilities"] for row in rows]
        tensor = answer.outputs.add(key="probabilities").value
        tensor.dtype = _TYPES["DT_FLOAT"]
        tensor.float_val.extend(number for row in numbers for number in row)
        tensor.tensor_shape.dim.add(size=len(rows))
        tensor.tensor_shape.dim.add(size=len(numbers[0]) if numbers else 0)
    if "classes" in request.output_filter or not request.output_filter:
        tensor = answer.outputs.add(key="classes").value
        tensor.dtype = _TYPES["DT_INT64"]
        tensor.int64_val.extend(row["classes"] for row in rows)
        tensor.tensor_shape.dim.add(size=len(rows))
    return answer


def _status_path(request: bytes) -> tuple[tuple[str, str, bytes], Any]:
    message = MESSAGES["StatusRequest"].FromString(request)
    return ("GET", _model(message), b""), message


def _status(document: dict[str, Any], _request: Any) -> Any:
    answer = MESSAGES["StatusResponse"]()
    for one in document["model_version_status"]:
        answer.model_version_status.add(version=int(one["version"]), state=_STATES[one["state"]])
    return answer


def _metadata_path(request: bytes) -> tuple[tuple[str, str, bytes], Any]:
    message = MESSAGES["MetadataRequest"].FromString(request)
    if list(message.metadata_field) != ["signature_def"]:
        raise ValueError("Metadata field is not supported")
    return ("GET", f"{_model(message)}/metadata", b""), message


def _metadata(document: dict[str, Any], request: Any) -> Any:
    signatures = MESSAGES["SignatureDefMap"]()
    for name, told in document["metadata"]["signature_def"]["signature_def"].items():
        signature = signatures.signature_def.add(key=name).value
        signature.method_name = told["method_name"]
        for key, tensors in (("inputs", signature.inputs), ("outputs", signature.outputs)):
            for called, info in told[key].items():
                tensor = tensors.add(key=called).value
                tensor.dtype = _TYPES[info["dtype"]]
                for dimension in info["tensor_shape"]["dim"]:
                    tensor.tensor_shape.dim.add(size=int(dimension["size"]))
    answer = MESSAGES["MetadataResponse"](model_spec=request.model_spec)
    entry = answer.metadata.add(key="signature_def")
    entry.value.type_url = "type.googleapis.com/tensorflow.serving.SignatureDefMap"
    entry.value.value = signatures.SerializeToString()
    return answer


def _model(message: Any) -> str:
    spec = message.model_spec
    version = f"/versions/{spec.version.value}" if spec.HasField("version") else ""
    return f"/v1/models/{spec.name}{version}"
