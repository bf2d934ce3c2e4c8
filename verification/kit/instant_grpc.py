"""A model server that answers every predict at once, over gRPC; over REST `verification/kit/instant.py` does.

    python -m verification.kit.instant_grpc --port 8500

For any model name, with 1,001 probabilities a picture.
"""

import argparse
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import grpc

from classifyd.engines.tfserving import wire
from verification.kit.instant import BEST, CLASSES
from verification.kit.serving.grpc_messages import MESSAGES
from verification.kit.serving.protocol import INPUT, SIGNATURE

_THREADS = 4
_OPTIONS = (
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.so_reuseport", 0),  # a port that another one has is refused, not shared
)
_FLOAT, _STRING = 1, 7
_AVAILABLE = 30


class _Calls(grpc.GenericRpcHandler):
    def __init__(self) -> None:
        self._answers: dict[str, Callable[[bytes], bytes]] = {
            "/tensorflow.serving.ModelService/GetModelStatus": lambda _request: _status(),
            "/tensorflow.serving.PredictionService/GetModelMetadata": lambda _request: _metadata(),
            "/tensorflow.serving.PredictionService/Predict": lambda request: _predictions(_pictures(request)),
        }

    def service(self, call: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        answer = self._answers.get(call.method)
        return answer and grpc.unary_unary_rpc_method_handler(lambda request, _context: answer(request))


def _pictures(request: bytes) -> int:
    """How many there are, by the tensor's shape: they are not looked at."""
    tensor = wire.mapped(memoryview(request), 2)[INPUT]
    [dimension] = wire.parts(next(wire.parts(tensor, 2)), 2)
    return wire.as_number(dict(wire.fields(dimension))[1])


@cache
def _predictions(pictures: int) -> bytes:
    row = [0.1 / CLASSES + index * 1e-9 for index in range(CLASSES)]
    row[BEST] = 0.9
    answer = MESSAGES["PredictResponse"]()
    tensor = answer.outputs.add(key="probabilities").value
    tensor.dtype = _FLOAT
    tensor.float_val.extend(row * pictures)
    _shape(tensor, pictures, CLASSES)
    return bytes(answer.SerializeToString())


@cache
def _metadata() -> bytes:
    signatures = MESSAGES["SignatureDefMap"]()
    signature = signatures.signature_def.add(key=SIGNATURE).value
    taken = signature.inputs.add(key=INPUT).value
    taken.dtype = _STRING
    _shape(taken, -1)
    given = signature.outputs.add(key="probabilities").value
    given.dtype = _FLOAT
    _shape(given, -1, CLASSES)
    answer = MESSAGES["MetadataResponse"]()
    answer.metadata.add(key="signature_def").value.value = signatures.SerializeToString()
    return bytes(answer.SerializeToString())


@cache
def _status() -> bytes:
    answer = MESSAGES["StatusResponse"]()
    answer.model_version_status.add(version=1, state=_AVAILABLE)
    return bytes(answer.SerializeToString())


def _shape(tensor: Any, *sizes: int) -> None:
    for size in sizes:
        tensor.tensor_shape.dim.add(size=size)


def main() -> None:
    """Serves until it is stopped."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--port", type=int, default=8500, help="0: any that is free")
    server = grpc.server(ThreadPoolExecutor(_THREADS), options=_OPTIONS)
    server.add_generic_rpc_handlers((_Calls(),))
    port = server.add_insecure_port(f"127.0.0.1:{parser.parse_args().port}")
    server.start()
    print(f"grpc://127.0.0.1:{port}", flush=True)
    server.wait_for_termination()


if __name__ == "__main__":
    main()
