"""Receiving answers of some MiB: with few calls that give the interpreter up, and few copies."""

import socket
import ssl
import sys
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

import crc32c
from kafka.errors import KafkaConnectionError, KafkaError
from kafka.net.transport import KafkaSSLTransport, KafkaTCPTransport
from kafka.protocol.frame import KafkaBytes
from kafka.record import default_records
from kafka.record.default_records import DefaultRecordBatch

_RECEIVE_BYTES = 256 * 2**10
_WORTH_WAKING = 2**20
"""Bytes of a large answer that are waited for, unless less of it is left."""
_NOTHING_YET = (BlockingIOError, InterruptedError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
_ENDED = (OSError, ValueError, AttributeError)  # the last two where it was closed meanwhile

Received = TypeVar("Received", bytes, int)


def mend() -> None:
    """Has kafka-python receive, keep and sum as this module does."""
    KafkaTCPTransport._sock_recv = _receive
    KafkaSSLTransport._sock_recv = _receive_encrypted
    KafkaBytes.read = _read
    KafkaBytes.write = _write
    DefaultRecordBatch.__init__ = _begin_batch
    # A batch's sum takes microseconds; to give the interpreter up for it takes another thread's turn.
    default_records.calc_crc32c = partial(crc32c.crc32c, gil_release_mode=0)


def _receive(transport: Any) -> tuple[bytes, KafkaError | None]:
    """What a connection has received, and why there will be no more.

    Of a large answer the system wakes for no less than is worth it: a fast broker's would come in pieces of
    64 KiB, each of them several turns of the I/O thread. Linux makes room for as much.
    """
    data, error = _received(transport, at_once=True)
    frame = _begun(transport)
    least = 1 if frame is None else min(len(frame) - frame.tell(), _WORTH_WAKING)
    if least != getattr(transport, "_least", 1) and sys.platform == "linux":
        with suppress(*_ENDED):
            transport._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, least)
            transport._least = least
    return data, error


def _receive_encrypted(transport: Any) -> tuple[bytes, KafkaError | None]:
    """The same over TLS, which gives a record of 16 KiB at a time."""
    return _received(transport, at_once=False)


def _received(transport: Any, at_once: bool) -> tuple[bytes, KafkaError | None]:
    """What a socket that does not block has received, and why there will be no more. What belongs to an
    answer that was begun is put there, all but its last byte, with which kafka-python takes notice of it.

    kafka-python reads 4 KiB at a time. Each call gives the interpreter up, to whoever is busy then: a fetch
    of pictures waited for thousands of other threads' turns. `at_once`: where less comes than was asked for,
    that was all.
    """
    chunks: list[bytes] = []
    error: KafkaError | None = None
    try:
        more = _fill(transport, _begun(transport), at_once)
        while more:
            chunks.append(_unless_ended(transport._sock.recv(_RECEIVE_BYTES)))
            more = not at_once or len(chunks[-1]) == _RECEIVE_BYTES
    except _NOTHING_YET:
        pass
    except KafkaConnectionError as ended:
        error = ended
    except _ENDED as raised:
        error = KafkaConnectionError(raised)
    return b"".join(chunks), error


def _fill(transport: Any, frame: Any, at_once: bool) -> bool:
    """Receives into an answer, up to its last byte; False where nothing more is there."""
    while frame is not None and (room := len(frame) - 1 - frame.tell()) > 0:
        with memoryview(frame) as view:
            count = _unless_ended(transport._sock.recv_into(view[-1 - room : -1]))
        frame.seek(frame.tell() + count)
        if at_once and count < room:
            return False
    return True


def _unless_ended(received: Received) -> Received:
    """What was received. Raises KafkaConnectionError for nothing at all, with which a connection ends."""
    if not received:
        raise KafkaConnectionError("socket disconnected")
    return received


def _begun(transport: Any) -> Any:
    """The answer that is being received, None between two of them."""
    parser = getattr(transport._protocol, "parser", None)
    return parser._rbuffer if parser is not None and parser._receiving else None


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


def _begin_batch(batch: Any, buffer: bytes | memoryview) -> None:
    """Keeps a batch as bytes: what is cut out of kafka-python's bytearray is copied twice."""
    batch._buffer = bytes(buffer)
    batch._header_data = batch.HEADER_STRUCT.unpack_from(batch._buffer)
    batch._pos = batch.HEADER_STRUCT.size
    batch._num_records = batch._header_data[12]
    batch._next_record_index = 0
    batch._decompressed = False
