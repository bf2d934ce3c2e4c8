"""What both Kafka adapters need mended in kafka-python 3.0.12, in one place: opening its clients, and
how they receive and sum what they received."""

import ssl
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeVar

import crc32c
from kafka.errors import KafkaConfigurationError, KafkaConnectionError, KafkaError
from kafka.net.compat import KafkaNetClient
from kafka.net.transport import KafkaSSLTransport, KafkaTCPTransport
from kafka.protocol.api_header import ResponseClassRegistry
from kafka.protocol.frame import KafkaBytes
from kafka.protocol.sasl import SaslBytesResponse
from kafka.record import default_records

from classifyd.core.errors import ConfigurationError

_RECEIVE_BYTES = 256 * 2**10
_NOTHING_YET = (BlockingIOError, InterruptedError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
_ENDED = (OSError, ValueError, AttributeError)  # the last two where it was closed meanwhile

Client = TypeVar("Client")


def opened(client: Callable[..., Client], arguments: Mapping[str, Any]) -> Client:
    """A consumer or producer that has reached the broker. Raises KafkaError while it cannot, and
    ConfigurationError for arguments that can never work.

    A constructor that fails leaves its I/O thread running, so what it made is caught and closed here.
    """
    made: list[KafkaNetClient] = []

    def remembered(**options: Any) -> KafkaNetClient:
        made.append(KafkaNetClient(**options))
        return made[-1]

    try:
        return client(kafka_client=remembered, **arguments)
    except BaseException as error:
        for one in made:
            one.close()
        if isinstance(error, KafkaConfigurationError | ValueError | TypeError | AssertionError | OSError):
            raise ConfigurationError(f"the settings of [kafka] do not work: {error}") from error
        raise


def _keep_response_class(response_class: Any) -> None:
    """Registers the class itself, where kafka-python registers a weak proxy of it.

    It makes a class for each version of a response when that is first needed, and registers it as the one
    to read such responses with. Two threads that need the same one at once, as a producer and a consumer
    that start together do, make two: the one registered last may be the one that nobody keeps. Once it is
    collected, no client of the process understands the broker any more.
    """
    kept = response_class.mro()[0]
    ResponseClassRegistry._response_class_registry[kept.API_KEY] = kept


for _registered in tuple(ResponseClassRegistry._response_class_registry.values()):
    _keep_response_class(_registered)
ResponseClassRegistry.register_response_class = _keep_response_class


def _received(transport: Any) -> tuple[bytes, KafkaError | None]:
    """What a socket that does not block has received, and why there will be no more.

    kafka-python reads 4 KiB at a time. Each call gives the interpreter up, to whoever is busy then: a fetch
    of pictures waited for thousands of other threads' turns.
    """
    chunks: list[bytes] = []
    error: KafkaError | None = None
    try:
        while chunk := transport._sock.recv(_RECEIVE_BYTES):
            chunks.append(chunk)
        error = KafkaConnectionError("socket disconnected")
    except _NOTHING_YET:
        pass
    except _ENDED as raised:
        error = KafkaConnectionError(raised)
    return b"".join(chunks), error


def _read(frame: Any, count: int | None = None) -> bytes | memoryview:
    """The next `count` bytes of an answer, or a view of all that is left: kafka-python copies it twice."""
    start = frame._idx
    frame._idx = len(frame) if count is None else min(start + count, len(frame))
    view = memoryview(frame)[start : frame._idx]
    return view if count is None else bytes(view)


def _write(frame: Any, data: bytes) -> None:
    """Fills an answer's next bytes; a bytearray copies what is assigned to it once more before."""
    start = frame._idx
    frame._idx += len(data)
    memoryview(frame)[start : frame._idx] = data


def _decode_token(response: Any, frame: Any) -> Any:
    """Takes a token as bytes: brokers before Kafka 1.0 send it bare, and a mechanism takes no view of it."""
    response.auth_bytes = bytes(frame.read())
    return response


# A batch's sum takes microseconds; to give the interpreter up for it takes as long as another thread's turn.
default_records.calc_crc32c = partial(crc32c.crc32c, gil_release_mode=0)
KafkaTCPTransport._sock_recv = _received
KafkaSSLTransport._sock_recv = _received
KafkaBytes.read = _read
KafkaBytes.write = _write
SaslBytesResponse.decode = _decode_token
