"""The deadline on the whole of an HTTP call, on sockets that are slow in every way."""

import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from classifyd.engines.tfserving import deadline as module
from classifyd.engines.tfserving.client import ERRORS, HttpClient
from classifyd.engines.tfserving.deadline import deadline, remaining
from tests.unit.engines.tfserving.scripted import OK, PATIENCE, Behaviour, Server, encrypted

MOST = 2**20
TIMED_OUT = r"timed? out|time is over"
Open = Callable[[str], HttpClient]


@pytest.fixture
def opened() -> Iterator[Open]:
    clients: list[HttpClient] = []

    def opened(url: str) -> HttpClient:
        clients.append(HttpClient(url, None, 2))
        return clients[-1]

    yield opened
    for client in clients:
        client.close()


def dripping(head: bytes, stopping: Callable[[], threading.Event]) -> Behaviour:
    """Sends `head`, then a byte now and then for ever."""

    def behave(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(head)
        while not stopping().wait(0.02):
            connection.sendall(b"x")

    return behave


@pytest.mark.parametrize(
    "head",
    [b"", b"HTTP/1.1 200 OK\r\nX-Slow: ", b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"],
    ids=["status line", "headers", "body"],
)
def test_bytes_now_and_then_do_not_hold_the_caller(
    serve: Callable[[Behaviour], Server], opened: Open, head: bytes
) -> None:
    server = serve(dripping(head, lambda: server.stopping))
    with deadline(0.3), pytest.raises(ERRORS, match="time"):
        opened(server.url).get("/", MOST)


def test_silence_does_not_hold_the_caller(serve: Callable[[Behaviour], Server], opened: Open) -> None:
    server = serve(lambda _connection: server.stopping.wait(PATIENCE) and None)
    with deadline(0.3), pytest.raises(ERRORS, match=TIMED_OUT):
        opened(server.url).get("/", MOST)


def test_a_server_that_stops_reading_does_not_hold_the_caller(
    serve: Callable[[Behaviour], Server], opened: Open
) -> None:
    def behave(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(OK)
        if not server.stopping.wait(5):
            outlasted.set()

    outlasted = threading.Event()
    server = serve(behave)
    client = opened(server.url)
    with deadline(PATIENCE):
        client.get("/", MOST)
    with deadline(0.3), pytest.raises(ERRORS, match=TIMED_OUT):
        client.post("/", [bytes(32 * 2**20)], MOST)
    assert not outlasted.is_set()


def test_nothing_is_begun_when_the_time_is_over(opened: Open) -> None:
    with deadline(0.0):
        with pytest.raises(TimeoutError, match="time is over"):
            remaining()
        with pytest.raises(ERRORS, match="time is over"):
            opened("http://127.0.0.1:1").get("/", MOST)


def test_an_address_that_does_not_answer_leaves_time_for_the_next(
    serve: Callable[[Behaviour], Server], opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")

    server = serve(answer)
    # A listener whose queue is full: its connections are neither taken nor refused.
    full = socket.create_server(("127.0.0.1", 0), backlog=0)
    waiting = [socket.socket() for _ in range(3)]
    for client in waiting:
        client.setblocking(False)
        client.connect_ex(full.getsockname())
    addresses = [
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", full.getsockname()),
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", server.port)),
    ]
    monkeypatch.setattr(module.socket, "getaddrinfo", lambda *_, **__: addresses)
    with deadline(1.0):
        assert opened("http://two.invalid").get("/", MOST).content == b"ok"
    for client in (*waiting, full):
        client.close()


def test_tls_connections_keep_the_deadline_too(
    serve: Callable[[Behaviour], Server], opened: Open, trusted: Path
) -> None:
    slow = threading.Event()

    def behave(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(OK)
        connection.recv(65536)
        slow.set()
        while not server.stopping.wait(0.02):
            connection.sendall(b"x")

    server = serve(encrypted(trusted, behave))
    client = opened(f"https://127.0.0.1:{server.port}")
    with deadline(PATIENCE):
        assert client.get("/", MOST).content == b"ok"
    with deadline(0.5), pytest.raises(ERRORS, match="time"):
        client.get("/", MOST)
    assert slow.is_set()


def test_a_handshake_that_never_ends_is_given_up(serve: Callable[[Behaviour], Server], opened: Open) -> None:
    server = serve(lambda _connection: server.stopping.wait(PATIENCE) and None)
    with deadline(0.3), pytest.raises(ERRORS, match=TIMED_OUT):
        opened(f"https://127.0.0.1:{server.port}").get("/", MOST)


@pytest.mark.parametrize("host", ["a..b", "a" * 64 + ".invalid"])
def test_a_host_that_can_have_no_name_is_not_known(opened: Open, host: str) -> None:
    with deadline(PATIENCE), pytest.raises(ERRORS, match="is not known"):
        opened(f"http://{host}:80").get("/", MOST)


def test_a_socket_is_never_given_more_milliseconds_than_it_can_count() -> None:
    with deadline(10 * 365 * 86_400.0):
        assert 0 < remaining() * 1000 < 2**31
