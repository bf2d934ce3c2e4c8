"""The gRPC protocol of TensorFlow Serving: what is asked, and what each kind of answer means.

https://grpc.io/docs/guides/status-codes/, and prediction_service.proto and model_service.proto of
tensorflow/serving.

As over REST, only two kinds of answers may concern a picture: the server refuses the request, or fails on it.
gRPC tells a broken connection, or a proxy's page, by the same codes as these, in words of its own.
"""

import os
import re
import ssl
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

# It would write its own lines between those of the log; who wants them sets another level.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

import certifi
import grpc
import numpy as np
from numpy.typing import NDArray

from classifyd.core.errors import ClassifierError, ConfigurationError, Failed, Oversized, Refused, Unavailable
from classifyd.engines.tfserving import messages
from classifyd.engines.tfserving.api import LONGEST_ANSWER, LONGEST_REASON, NotLoaded, strange
from classifyd.engines.tfserving.deadline import remaining
from classifyd.engines.tfserving.signature import Signature
from classifyd.engines.tfserving.wire import Malformed

PORT = 8500

_STATUS = "/tensorflow.serving.ModelService/GetModelStatus"
_METADATA = "/tensorflow.serving.PredictionService/GetModelMetadata"
_PREDICT = "/tensorflow.serving.PredictionService/Predict"

_OPTIONS = (
    ("grpc.max_receive_message_length", LONGEST_ANSWER),
    ("grpc.max_send_message_length", -1),  # `max_batch_bytes` bounds it
    ("grpc.enable_http_proxy", 0),  # the environment's
    ("grpc.use_local_subchannel_pool", 1),  # a channel made anew shall not find the connection that failed
)

# gRPC itself never gives the first three codes: https://grpc.github.io/grpc/core/md_doc_statuscodes.html
_REFUSED = {
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.OUT_OF_RANGE,
}
_FAILED = {
    grpc.StatusCode.UNKNOWN,
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.DATA_LOSS,
    grpc.StatusCode.UNIMPLEMENTED,
}
# It may be the connection: another one is tried next.
_BROKEN = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED}
_NO_ANSWER = re.compile(r"failed to connect|errors resolving|Stream removed|Socket closed|GOAWAY")
_NO_GRPC = re.compile(r"failed to connect.*(Failed parsing HTTP/2|http1\.x server)")
_PAGE = re.compile(r"Received http2 header with status: (\d+)")
_TOO_LARGE = re.compile(r"(?i)message larger than max|message exceeds maximum size")  # C++ and Go, Java
_AUTHORITY = "[0-9a-f]" * 8 + ".[0-9]*"
_OWN_LIMIT = "CLIENT: Received message larger than max"

Answer = TypeVar("Answer")


class GrpcTransport:
    """A `Transport` by the gRPC interface of a server.

    `url` is its address, as in `grpc://127.0.0.1:8500`, or `grpcs://` for TLS; it has no credentials, so that
    `server` is the same. Raises ConfigurationError for an `url` that is none.

    A channel is one connection, which one call at a time uses, as over REST: a call that gets no answer
    closes its own, and the next one connects at once instead of after gRPC's delay.
    """

    def __init__(self, url: str, model: str) -> None:
        self._target = _target(url)
        if self._target is None:
            raise ConfigurationError(
                f"model {model}: `url` of a gRPC server is its host and port alone: grpc://HOST:{PORT}"
            )
        self.server = url.rstrip("/")
        self._credentials = _credentials() if url.startswith("grpcs:") else None
        self._model = model
        self._idle: list[grpc.Channel] = []

    def states(self) -> dict[int, str]:
        """As `Transport` says."""
        return self._get(_STATUS, messages.status_request(self._model), messages.states)

    def metadata(self, version: int) -> Mapping[str, Any]:
        """As `Transport` says."""
        return self._get(_METADATA, messages.metadata_request(self._model, version), messages.metadata)

    def ask(self, version: int, signature: Signature, pictures: Sequence[bytes]) -> NDArray[np.floating]:
        """As `Transport` says."""
        answer = self._ask(_PREDICT, messages.predict_request(self._model, version, signature, pictures))
        return self._read(answer, lambda told: messages.probabilities(told, signature.output))

    def close(self) -> None:
        """Closes the kept connections."""
        with suppress(IndexError):  # all are closed
            while True:
                self._idle.pop().close()

    def _get(self, method: str, request: bytes, read: Callable[[bytes], Answer]) -> Answer:
        try:
            return self._read(self._ask(method, request), read)
        except (Refused, Failed) as error:  # no picture was sent
            raise Unavailable(str(error)) from error

    def _read(self, answer: bytes | None, read: Callable[[bytes], Answer]) -> Answer:
        try:
            return read(answer or b"")
        except Malformed as error:
            raise strange(self.server, str(error)) from error

    def _ask(self, method: str, request: bytes) -> bytes | None:
        try:
            channel = self._idle.pop()
        except IndexError:
            channel = self._connected()
        kept = False
        try:
            answer: bytes | None = channel.unary_unary(method)(request, timeout=remaining())
            kept = True
        except TimeoutError as error:
            raise Unavailable(f"{self.server} did not answer in time: {error}") from error
        except grpc.RpcError as error:
            code, told = error.code(), " ".join((error.details() or "").split())
            kept = code not in _BROKEN
            raise self._meaning(code, told) from error
        finally:
            if kept:
                self._idle.append(channel)
            else:
                channel.close()
        return answer

    def _connected(self) -> grpc.Channel:
        if self._credentials is None:
            return grpc.insecure_channel(self._target, _OPTIONS)
        return grpc.secure_channel(self._target, self._credentials, _OPTIONS)

    def _meaning(self, code: grpc.StatusCode, told: str) -> ClassifierError:
        reason = told[:LONGEST_REASON]
        answered = f"{self.server} answered {code.name}: {reason}"
        page = _PAGE.match(told)
        if _OWN_LIMIT in told:
            return strange(self.server, f"its answer has more than {LONGEST_ANSWER} bytes")
        if _TOO_LARGE.search(told) or (page and page[1] == "413"):
            return Oversized(f"{answered} (a proxy's limit? raise it, or lower max_batch_bytes)")
        if page:
            return Unavailable(answered)
        if code is grpc.StatusCode.DEADLINE_EXCEEDED:
            return Unavailable(f"{self.server} did not answer in time: {reason}")
        if _NO_GRPC.match(told):
            return strange(self.server, f"it speaks no gRPC ({reason}); REST is asked for with http://")
        if _NO_ANSWER.match(told):
            return Unavailable(f"{self.server} cannot be reached: {reason}")
        if code in _REFUSED:
            return Refused(answered)
        if code in _FAILED:
            return Failed(answered)
        if code is grpc.StatusCode.NOT_FOUND:
            return NotLoaded(f"{answered} (is the model loaded there, and its name right?)")
        return Unavailable(answered)


def _target(url: str) -> str | None:
    """The address as gRPC writes it; None for one that is none, or says more than a server's place."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port or PORT
        if not host or "@" in parts.netloc or parts.path.strip("/") or parts.query or parts.fragment:
            return None
        return f"dns:///[{host}]:{port}" if ":" in host else f"dns:///{host.encode('idna').decode()}:{port}"
    except ValueError:  # a port or a name that cannot be
        return None


def _credentials() -> grpc.ChannelCredentials:
    """TLS that trusts whom it does over REST: the system (or SSL_CERT_FILE and SSL_CERT_DIR), and certifi's
    authorities."""
    system = ssl.get_default_verify_paths()
    # The names by which OpenSSL finds an authority in a folder; on Debian there is nothing but the folder.
    in_folder = sorted(Path(system.capath).glob(_AUTHORITY)) if system.capath else []
    files = [Path(system.cafile)] if system.cafile else []
    known = (_content(file) for file in (*files, *in_folder, Path(certifi.where())))
    return grpc.ssl_channel_credentials(b"\n".join(known))


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:  # OpenSSL passes over what it cannot read, too
        return b""
