"""The stand-in's sockets, and the script of its faults."""

import socket
import struct
import threading
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

from classifyd.core.ports import Classifier
from verification.kit.serving.faults import Fault
from verification.kit.serving.protocol import Answer, Request
from verification.kit.serving.servables import Servables

_REMEMBERED = 10_000


class ServingStandIn:
    """Serves each classifier (made with `top_k` = all its classes) as version 1 of a model of its name.

    `max_batch` is the largest batch it takes, as with `--enable_batching`. `requests` are the last it got,
    less their bodies, `connections` how many it accepted for them.
    Used as a context manager, or by `start` and `stop`, which may alternate: the port stays.
    """

    def __init__(
        self,
        classifiers: Mapping[str, Classifier],
        host: str = "127.0.0.1",
        port: int = 0,
        max_batch: int | None = None,
    ) -> None:
        self.servables = Servables(max_batch)
        for name, classifier in classifiers.items():
            self.servables.load(name, 1, classifier)
        self.requests: deque[Request] = deque(maxlen=_REMEMBERED)
        self.connections = 0
        self._address = (host, port)
        self._script: list[tuple[Fault, str, int | None]] = []
        self._lock = threading.Lock()
        self._server: _Server | None = None

    @property
    def url(self) -> str:
        """Where it is, or was before `stop`."""
        host, port = self._address
        return f"http://{host}:{port}"

    def script(self, fault: Fault, times: int | None = None, kind: str = "predict") -> None:
        """Applies a fault to the next `times` requests of a kind (predict, status, metadata), or to all until
        `heal`. Faults apply in the order of being scripted, one a request; those without `times` to all."""
        with self._lock:
            self._script.append((fault, kind, times))

    def heal(self) -> None:
        """Forgets every fault."""
        with self._lock:
            self._script.clear()

    def start(self) -> None:
        """Listens."""
        self._server = _Server(self._address, self)
        self._address = (self._address[0], self._server.server_port)
        threading.Thread(
            target=self._server.serve_forever, args=(0.01,), name="serving-stand-in", daemon=True
        ).start()

    def stop(self) -> None:
        """Closes every connection and refuses new ones. Does nothing when it is stopped."""
        server, self._server = self._server, None
        if server is not None:
            server.stop()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def answer(self, method: str, path: str, body: bytes) -> Answer:
        """The answer after the faults."""
        request, answer = self.servables.answer(method, path, body)
        with self._lock:
            self.requests.append(replace(request, body=b""))
            faults = self._due(request.kind)
        for fault in faults:
            answer = fault(request, answer)
        return answer

    def _due(self, kind: str) -> list[Fault]:
        due, kept, counted = [], [], False
        for fault, wanted, times in self._script:
            applies = wanted == kind and (times is None or not counted)
            if applies:
                due.append(fault)
                counted = counted or times is not None
            left = times - 1 if applies and times is not None else times
            if left != 0:
                kept.append((fault, wanted, left))
        self._script = kept
        return due


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], stand_in: ServingStandIn) -> None:
        super().__init__(address, _Handler)
        self.stand_in = stand_in
        self.stopping = threading.Event()
        self.connections: set[socket.socket] = set()
        self._connecting = threading.Lock()

    def opened(self, connection: socket.socket) -> None:
        with self._connecting:
            self.stand_in.connections += 1
            self.connections.add(connection)

    def closed(self, connection: socket.socket) -> None:
        with self._connecting:
            self.connections.discard(connection)

    def stop(self) -> None:
        self.stopping.set()
        self.shutdown()
        with self._connecting:
            for connection in self.connections:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        self.server_close()

    def handle_error(self, *_: object) -> None:
        """A client that left is nothing to tell."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: _Server

    def setup(self) -> None:
        super().setup()
        self.server.opened(self.connection)

    def finish(self) -> None:
        self.server.closed(self.connection)
        with suppress(OSError):
            super().finish()

    def do_GET(self) -> None:
        self._exchange()

    def do_POST(self) -> None:
        self._exchange()

    def _exchange(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        answer = self.server.stand_in.answer(self.command, self.path, body)
        if answer.never:
            self.server.stopping.wait()
            self.close_connection = True
        elif answer.reset_after is not None:
            self.wfile.write(_message(answer)[: answer.reset_after])
            # No lingering: closing sends RST instead of FIN.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
            self.close_connection = True
        else:
            self._send(answer)

    def _send(self, answer: Answer) -> None:
        message = _message(answer)
        if answer.drip is None:
            self.wfile.write(message)
            return
        for position in range(len(message)):
            self.wfile.write(message[position : position + 1])
            self.wfile.flush()
            if self.server.stopping.wait(answer.drip):
                return

    def log_message(self, *_: object) -> None:
        """Tests read `requests` instead."""


def _message(answer: Answer) -> bytes:
    lines = {
        "Content-Type": answer.content_type,
        "Content-Length": str(len(answer.body)),
        **answer.headers,
    }
    head = f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}\r\n" + "".join(
        f"{name}: {value}\r\n" for name, value in lines.items()
    )
    return head.encode("latin-1") + b"\r\n" + answer.body
