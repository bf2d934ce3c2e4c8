"""The deadline on the whole of an HTTP call, on sockets that are slow in every way."""

import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from classifyd.engines.tfserving import deadline as module
from classifyd.engines.tfserving.deadline import DeadlineAdapter, deadline, remaining

PATIENCE = 20.0
Serve = Callable[[socket.socket], None]


@pytest.fixture
def session() -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.trust_env = False
        session.mount("http://", DeadlineAdapter(2, tls=False))
        session.mount("https://", DeadlineAdapter(2, tls=True))
        yield session


class Server:
    """Accepts connections and lets `serve` do with each what it wants, until stopped."""

    def __init__(self, serve: Serve) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.stopping = threading.Event()
        self._serve = serve
        self._threads = [threading.Thread(target=self._accept, name="slow-server")]
        self._threads[0].start()

    def stop(self) -> None:
        self.stopping.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(PATIENCE)

    def _accept(self) -> None:
        while not self.stopping.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._one, args=(connection,), name="slow-connection")
            self._threads.append(thread)
            thread.start()

    def _one(self, connection: socket.socket) -> None:
        with connection:
            try:
                self._serve(connection)
            except OSError:
                return  # the client gave up, as it should


@pytest.fixture
def serve() -> Iterator[Callable[[Serve], Server]]:
    servers: list[Server] = []

    def start(behaviour: Serve) -> Server:
        servers.append(Server(behaviour))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


def dripping(head: bytes, stopping: Callable[[], threading.Event]) -> Serve:
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
    serve: Callable[[Serve], Server], session: requests.Session, head: bytes
) -> None:
    server = serve(dripping(head, lambda: server.stopping))
    with deadline(0.3), pytest.raises(requests.RequestException, match="time"):
        session.get(f"http://127.0.0.1:{server.port}/")


def test_silence_does_not_hold_the_caller(
    serve: Callable[[Serve], Server], session: requests.Session
) -> None:
    server = serve(lambda _connection: server.stopping.wait(PATIENCE) and None)
    with deadline(0.3), pytest.raises(requests.RequestException, match=r"timed? out|time is over"):
        session.get(f"http://127.0.0.1:{server.port}/")


def test_a_server_that_stops_reading_does_not_hold_the_caller(
    serve: Callable[[Serve], Server], session: requests.Session
) -> None:
    def behave(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        if not server.stopping.wait(5):
            outlasted.set()

    outlasted = threading.Event()
    server = serve(behave)
    url = f"http://127.0.0.1:{server.port}/"
    with deadline(PATIENCE):
        session.get(url)
    with deadline(0.3), pytest.raises(requests.RequestException, match=r"timed? out|time is over"):
        session.post(url, data=bytes(32 * 2**20))
    assert not outlasted.is_set()


def test_nothing_is_begun_when_the_time_is_over(session: requests.Session) -> None:
    with deadline(0.0):
        with pytest.raises(TimeoutError, match="time is over"):
            remaining()
        with pytest.raises(requests.ConnectionError, match="time is over"):
            session.get("http://127.0.0.1:1/")


def test_an_address_that_does_not_answer_leaves_time_for_the_next(
    serve: Callable[[Serve], Server], session: requests.Session, monkeypatch: pytest.MonkeyPatch
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
        assert session.get("http://two.invalid/").text == "ok"
    for client in (*waiting, full):
        client.close()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"),
            *("-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", str(path), "-out", str(path.with_suffix(".crt"))),
        ],
        check=True,
        capture_output=True,
    )
    path.write_text(path.read_text() + path.with_suffix(".crt").read_text())
    return path


def test_tls_connections_keep_the_deadline_too(
    serve: Callable[[Serve], Server],
    session: requests.Session,
    certificate: Path,
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    slow = threading.Event()

    def behave(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as encrypted:
            encrypted.recv(65536)
            encrypted.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            encrypted.recv(65536)
            slow.set()
            while not server.stopping.wait(0.02):
                encrypted.sendall(b"x")

    server = serve(behave)
    session.verify = str(certificate)
    url = f"https://127.0.0.1:{server.port}/"
    with deadline(PATIENCE):
        assert session.get(url).text == "ok"
    with deadline(0.5), pytest.raises(requests.RequestException, match="time"):
        session.get(url)
    assert slow.is_set()


def test_a_handshake_that_never_ends_is_given_up(
    serve: Callable[[Serve], Server], session: requests.Session
) -> None:
    server = serve(lambda _connection: server.stopping.wait(PATIENCE) and None)
    with deadline(0.3), pytest.raises(requests.RequestException, match=r"timed? out|time is over"):
        session.get(f"https://127.0.0.1:{server.port}/")


@pytest.mark.parametrize("host", ["a..b", "a" * 64 + ".invalid"])
def test_a_host_that_can_have_no_name_is_not_known(session: requests.Session, host: str) -> None:
    with deadline(PATIENCE), pytest.raises(requests.ConnectionError, match="is not known"):
        session.get(f"http://{host}:80/")


def test_a_socket_is_never_given_more_milliseconds_than_it_can_count() -> None:
    with deadline(10 * 365 * 86_400.0):
        assert 0 < remaining() * 1000 < 2**31
