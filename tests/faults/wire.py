"""HTTP as no client library would send it: bytes on a socket, and what comes back."""

import http.client
import json
import socket
from dataclasses import dataclass
from typing import Any

from verification.kit.daemon import DaemonProcess

BOUND = 60.0
PROBLEM = "application/problem+json"


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer with its headers, names in small letters."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def is_problem(self) -> bool:
        """Whether it is a problem of RFC 9457 that tells its own status."""
        return self.headers.get("content-type") == PROBLEM and self.document["status"] == self.status

    @property
    def document(self) -> Any:
        """The body, as JSON."""
        return json.loads(self.body)


def connect(daemon: DaemonProcess, receive_buffer: int | None = None) -> socket.socket:
    """A connection to the daemon; `receive_buffer` bytes are taken before it is read, or the system's own."""
    connection = socket.socket()
    try:
        if receive_buffer is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        connection.settimeout(BOUND)
        connection.connect(("127.0.0.1", daemon.port))
    except BaseException:
        connection.close()
        raise
    return connection


def read_answer(connection: socket.socket, method: str = "GET") -> Answer:
    """The next answer. Raises http.client.HTTPException or ConnectionError where none comes."""
    response = http.client.HTTPResponse(connection, method=method)
    response.begin()
    try:
        headers = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, headers, response.read())
    finally:
        response.close()


def ask(daemon: DaemonProcess, request: bytes, method: str = "GET") -> Answer:
    """Sends all at once on a connection of its own."""
    with connect(daemon) as connection:
        connection.sendall(request)
        return read_answer(connection, method)


def head(method: str, target: str | bytes, *lines: str | bytes) -> bytes:
    """A request's first line and headers, whole."""
    first = b"%b %b HTTP/1.1" % (method.encode(), target if isinstance(target, bytes) else target.encode())
    given = [line if isinstance(line, bytes) else line.encode() for line in lines]
    return b"\r\n".join([first, b"Host: localhost", *given, b"", b""])


def was_closed(connection: socket.socket) -> bool:
    """Whether the daemon ends the connection within the bound, whatever it sends before."""
    try:
        while connection.recv(2**16):
            pass
    except TimeoutError:
        return False
    except ConnectionError:
        pass
    return True


def metric(daemon: DaemonProcess, sample: str) -> float:
    """The value of one sample of /metrics, such as `name_total{label="x"}`; 0 where there is none yet."""
    text = ask(daemon, head("GET", "/metrics")).body.decode()
    values = [line.rpartition(" ")[2] for line in text.splitlines() if line.startswith(f"{sample} ")]
    return float(values[0]) if values else 0.0
