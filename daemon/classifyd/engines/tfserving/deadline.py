"""HTTP with a bound on the whole of a call.

A time-out of `requests` bounds each read: a server that sends a byte now and then, in the headers or in the
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

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager, Retry
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import NewConnectionError

# poll(2) takes milliseconds in a C int, and Python cuts off what is above it: after 24 days they start anew.
_LONGEST_WAIT_S = 86_400.0
_end: ContextVar[float] = ContextVar("end")


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Every connection of a `DeadlineAdapter` that is used in the block, by this thread, must be done
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


class DeadlineAdapter(HTTPAdapter):
    """A transport for a `requests` session that keeps the deadline. A request on a kept-alive connection
    that the server has just closed is sent once more.

    `connections` are kept alive at most; `tls` is whether any will be encrypted (reading the system's
    certificates takes a while).
    """

    def __init__(self, connections: int, tls: bool) -> None:
        self._options = {"ssl_context": _timed_tls()} if tls else {}
        # Reading fails where a kept connection was closed meanwhile; no new connection is an outage.
        retries = Retry(total=None, connect=0, read=1, redirect=0, status=0, other=0, allowed_methods=None)
        super().__init__(pool_connections=1, pool_maxsize=connections, max_retries=retries)

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **(options | self._options))
        _keep_deadlines(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **(options | self._options))
        _keep_deadlines(manager)
        return manager


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


class _Connection(HTTPConnection):
    def _new_conn(self) -> socket.socket:
        return _connected(self)


class _TLSConnection(HTTPSConnection):
    def _new_conn(self) -> socket.socket:
        return _connected(self)


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TLSPool(HTTPSConnectionPool):
    ConnectionCls = _TLSConnection


def _keep_deadlines(manager: PoolManager) -> None:
    manager.pool_classes_by_scheme = {"http": _Pool, "https": _TLSPool}


def _timed_tls() -> ssl.SSLContext:
    context = ssl.create_default_context()
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
