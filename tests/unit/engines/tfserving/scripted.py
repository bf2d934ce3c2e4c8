"""Servers that do with each connection what a test wants."""

import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

PATIENCE = 20.0
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
Behaviour = Callable[[socket.socket], None]


class Server:
    """Accepts connections and lets `behave` do with each what it wants, until stopped. `accepted` counts
    them."""

    def __init__(self, behave: Behaviour) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.accepted = 0
        self.stopping = threading.Event()
        self._behave = behave
        self._threads = [threading.Thread(target=self._accept, name="scripted-server")]
        self._threads[0].start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def refuse(self) -> None:
        """Takes no more connections."""
        self.stopping.set()
        with suppress(OSError):  # it does not listen any more
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def stop(self) -> None:
        self.refuse()
        for thread in self._threads:
            thread.join(PATIENCE)

    def _accept(self) -> None:
        while not self.stopping.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.accepted += 1
            thread = threading.Thread(target=self._one, args=(connection,), name="scripted-connection")
            self._threads.append(thread)
            thread.start()

    def _one(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):  # the client gave up, as it may
            self._behave(connection)


def requests_on(connection: socket.socket) -> list[str]:
    """The lines of the next request's head, once its whole body is there; empty when there is no other."""
    received = b""
    while b"\r\n\r\n" not in received:
        piece = connection.recv(65536)
        if not piece:
            return []
        received += piece
    head, _, body = received.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    size = next((int(line.split(": ")[1]) for line in lines if line.startswith("Content-Length: ")), 0)
    while len(body) < size:
        body += connection.recv(65536)
    return lines


def answering(*answers: bytes, seen: list[list[str]] | None = None) -> Behaviour:
    """Gives these answers on each connection, one for each request, and closes it."""

    def behave(connection: socket.socket) -> None:
        for answer in answers:
            head = requests_on(connection)
            if not head:
                return
            if seen is not None:
                seen.append(head)
            connection.sendall(answer)

    return behave


def encrypted(certificate: Path, behave: Behaviour) -> Behaviour:
    """The same, inside TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    def within(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as wrapped:
            behave(wrapped)

    return within


def tunnelling(seen: list[list[str]]) -> Behaviour:
    """A proxy that does what CONNECT asks for."""

    def behave(connection: socket.socket) -> None:
        head = requests_on(connection)
        seen.append(head)
        host, _, port = head[0].split()[1].rpartition(":")
        with socket.create_connection((host, int(port)), PATIENCE) as target:
            connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            back = threading.Thread(target=_pump, args=(target, connection), name="tunnel-back")
            back.start()
            _pump(connection, target)
            back.join(PATIENCE)

    return behave


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while piece := source.recv(65536):
            sink.sendall(piece)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
