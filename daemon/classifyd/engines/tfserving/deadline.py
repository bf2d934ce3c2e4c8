"""Connections with a bound on the whole of a call.

A socket's time-out bounds each operation: a server that sends a byte now and then, in the headers or in the
body, holds the caller for ever. Here the sockets themselves ask, before every operation, what is left of the
call's time.
"""

import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import certifi
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import NewConnectionError

# poll(2) takes milliseconds in a C int, and Python cuts off what is above it: after 24 days they start anew.
_LONGEST_WAIT_S = 86_400.0
_end: ContextVar[float] = ContextVar("end")


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Every `Connection` and `TLSConnection` that is used in the block, by this thread, must be done
    within `seconds` from now. (Only the lookup of a host's name keeps the system's own time-out.)"""
    token = _end.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _end.reset(token)


def remaining() -> float:
    """What is left, in seconds, or a day if that is more. Raises TimeoutError when nothing is."""
    left = _end.get() - time.monotonic()
    if left <= 0:
        raise TimeoutError("the call's time is over")
    return min(left, _LONGEST_WAIT_S)


class _Timed:
    """What a socket does before each operation."""

    def recv_into(self, *args: Any) -> int:
        self.settimeout(remaining())  # type: ignore[attr-defined]
        return super().recv_into(*args)  # type: ignore[misc,no-any-return]

    def send(self, *args: Any) -> int:
        self.settimeout(remaining())  # type: ignore[attr-defined]
        return super().send(*args)  # type: ignore[misc,no-any-return]

    def sendall(self, *args: Any) -> None:
        self.settimeout(remaining())  # type: ignore[attr-defined]
        super().sendall(*args)  # type: ignore[misc]


class _TimedSocket(_Timed, socket.socket):
    pass


class _TimedTLSSocket(_Timed, ssl.SSLSocket):
    pass


class Connection(HTTPConnection):
    """A connection that keeps the deadline, to a server or to a proxy that passes requests on."""

    def _new_conn(self) -> socket.socket:
        return _connected(self)


class TLSConnection(HTTPSConnection):
    """The same, encrypted; with `set_tunnel`, through a proxy. Made with `ssl_context=tls_context()`."""

    def _new_conn(self) -> socket.socket:
        return _connected(self)


def tls_context() -> ssl.SSLContext:
    """Trusts what the system trusts (or SSL_CERT_FILE and SSL_CERT_DIR name), and certifi's authorities."""
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    context.sslsocket_class = _TimedTLSSocket
    return context


def _connected(connection: HTTPConnection) -> socket.socket:
    """A socket to the first address of the host that answers; each gets its share of what is left."""
    try:
        addresses = socket.getaddrinfo(connection._dns_host, connection.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:  # a label that is empty or too long fails before it is asked for
        raise NewConnectionError(connection, f"{connection.host} is not known: {error}") from error
    failure: OSError = OSError("no address")
    for position, (family, kind, protocol, _name, address) in enumerate(addresses):
        candidate = _TimedSocket(family, kind, protocol)
        try:
            candidate.settimeout(remaining() / (len(addresses) - position))
            for option in connection.socket_options or ():
                candidate.setsockopt(*option)
            candidate.connect(address)
            return candidate
        except OSError as error:
            candidate.close()
            failure = error
    raise NewConnectionError(connection, str(failure)) from failure
