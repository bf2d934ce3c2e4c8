"""What stands between a gRPC client and its server and speaks HTTP/2, but no gRPC: frame by frame."""

import socket
import struct
from typing import BinaryIO

from tests.unit.engines.tfserving.scripted import Behaviour, Server

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _RST_STREAM, _SETTINGS = 0, 1, 3, 4
_END_STREAM, _END_HEADERS, _ACK = 1, 4, 1
_FIRST = 1  # the first stream that a client opens


def page(status: int, content: bytes = b"<html>Please sign in</html>") -> bytes:
    """An answer that is no gRPC, as a proxy or a portal gives."""
    return headers({":status": str(status), "content-type": "text/html"}) + _frame(
        _DATA, _END_STREAM, _FIRST, content
    )


def headers(fields: dict[str, str], flags: int = _END_HEADERS) -> bytes:
    """The fields of an answer, uncompressed."""
    literals = (b"\0" + _text(name) + _text(value) for name, value in fields.items())
    return _frame(_HEADERS, flags, _FIRST, b"".join(literals))


def answer_without_message() -> bytes:
    """A success of gRPC's that brings nothing."""
    fields = {":status": "200", "content-type": "application/grpc", "grpc-status": "0"}
    return headers(fields, _END_HEADERS | _END_STREAM)


def reset(code: int) -> bytes:
    """The end of the call, without an answer."""
    return _frame(_RST_STREAM, 0, _FIRST, struct.pack(">I", code))


def replying(reply: bytes) -> Behaviour:
    """Takes the connection up as HTTP/2 says, and answers the first call with `reply`."""

    def behave(connection: socket.socket) -> None:
        with connection.makefile("rb") as stream:
            assert stream.read(len(_PREFACE)) == _PREFACE
            connection.sendall(_frame(_SETTINGS, 0, 0, b"") + _frame(_SETTINGS, _ACK, 0, b""))
            while _next_kind(stream) != _HEADERS:
                pass
            connection.sendall(reply)
            while stream.read(1):  # until the client leaves
                pass

    return behave


def url(server: Server) -> str:
    return f"grpc://127.0.0.1:{server.port}"


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def _text(value: str) -> bytes:
    return bytes([len(value)]) + value.encode()


def _next_kind(stream: BinaryIO) -> int:
    head = stream.read(9)
    stream.read(int.from_bytes(head[:3]))
    return head[3]
