"""Connections that are bounded: in number, and in the time that their clients may take.

uvicorn waits for ever for a request's first line and headers, for the rest of a body that nobody reads any
more, and for a client to take its answer. Here a client that owes one of these is cut off when its time is
over; and when no more connections may be open, the one that has owed longest makes room, as nginx drains its
oldest idle ones. Bodies that are read, and what is worked on, are bounded elsewhere (`upload`, `classify`).

httptools parses quickly (a request over h11 takes half as long again) and leaves some of RFC 9112 to its
user: the size of a head, the Host, and which transfer codings are understood.
"""

import asyncio
from collections.abc import Sized
from functools import partial
from http import HTTPStatus
from typing import Any, Literal, cast

import httptools
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from classifyd.http.problems import ProblemError, away
from classifyd.telemetry import emit
from classifyd.telemetry.http import ConnectionCut

SLOWEST_CLIENT = 64 * 2**10
"""Bytes a second that a client must bring or take, past a grace: slower ones hold memory for others."""

MOST_HEAD_BYTES = 64 * 2**10
"""Of a request's first line and headers, of a chunk's own line, of trailers: kept until they are whole."""
FIELD_BYTES = 32
"""What a header counts for beside its name and value: it is kept as objects (RFC 9113, section 6.5.2)."""
MOST_AHEAD = 64
"""Requests that a client may send before the first of them is answered."""


class Crowd:
    """How many connections may be open, and the clients that owe something, longest first."""

    def __init__(self, most: int, patience: float) -> None:
        """`patience` is the seconds that a client may take, beyond what `SLOWEST_CLIENT` grants for bytes."""
        self.most = most
        self.patience = patience
        self._owing: dict[Connection, None] = {}

    def protocol(self) -> type[asyncio.Protocol]:
        """What uvicorn makes its connections with."""
        return cast("type[asyncio.Protocol]", partial(Connection, crowd=self))

    def add(self, connection: "Connection") -> None:
        """Its client owes something from now on."""
        self._owing[connection] = None

    def remove(self, connection: "Connection") -> None:
        """Its client owes nothing (any more)."""
        self._owing.pop(connection, None)

    def make_room(self) -> bool:
        """Cuts off the client that has owed longest; False where none owes anything."""
        longest = next(iter(self._owing), None)
        if longest is not None:
            longest.cut("crowded")
        return longest is not None


class NotHttp(Exception):
    """What came is no request, or not one that is taken."""


class Flow(FlowControl):
    """Reads nothing while requests wait for their turn: their bodies hold no credit yet."""

    def __init__(self, transport: asyncio.Transport, waiting: Sized) -> None:
        super().__init__(transport)
        self._waiting = waiting

    def resume_reading(self) -> None:
        if not self._waiting:
            super().resume_reading()


class Connection(HttpToolsProtocol):
    """A connection within a crowd. What is no HTTP is answered with a problem, as the application does."""

    def __init__(self, *arguments: Any, crowd: Crowd, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._crowd = crowd
        self._due: float | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._unfinished = 0
        self._head = 0
        self._in_body = False
        self._deaf = False
        self._answering: RequestResponseCycle | None = None  # `cycle` is the request that came last

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.flow = Flow(transport, self.pipeline)
        if len(self.connections) > self._crowd.most and not self._crowd.make_room():
            self._refuse("crowded", away("As many connections are open as http.max_connections allows."))
        self._wait_for_client()

    def data_received(self, data: bytes) -> None:
        if self._deaf:
            return
        self._unset_keepalive_if_required()
        self._unfinished += len(data)
        try:
            self._parse(data)
            if self._unfinished > MOST_HEAD_BYTES:
                raise NotHttp
        except (httptools.HttpParserError, NotHttp):
            self._give_up()
        self._wait_no_more_if_at_work()

    def on_message_begin(self) -> None:
        if len(self.pipeline) >= MOST_AHEAD:
            raise NotHttp
        self._head = 0
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._in_body:  # it is a trailer
            return
        self._head += len(name) + len(value) + FIELD_BYTES
        if self._head > MOST_HEAD_BYTES:
            raise NotHttp
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._unfinished = 0
        self._check_head()
        if not self.parser.should_upgrade():  # else it is parsed again
            super().on_headers_complete()
            self._in_body = True

    def on_body(self, body: bytes) -> None:
        self._unfinished = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._unfinished, self._in_body = 0, False
        if not self.parser.should_upgrade():
            super().on_message_complete()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._wait_for_client()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._wait_no_more_if_at_work()

    def on_response_complete(self) -> None:
        self._wait_for_client()
        super().on_response_complete()
        self._wait_no_more_if_at_work()  # on the next request, if it was sent before this answer

    def connection_lost(self, exc: Exception | None) -> None:
        self._wait_no_more()
        if self._timer is not None:
            self._timer.cancel()
        if self._answering is not None:  # uvicorn tells this to the last request alone
            self._answering.disconnected = True
            self._answering.message_event.set()
        super().connection_lost(exc)

    def cut(self, reason: Literal["slow", "crowded"]) -> None:
        """Closes the connection at once, whatever was still to be sent."""
        emit(ConnectionCut(reason=reason))
        self._wait_no_more()
        self.transport.abort()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._answering = cycle
        super()._start_asgi_task(cycle, app)

    def _parse(self, data: bytes) -> None:
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            # httptools takes what follows for another protocol, even where it is the body: clients that would
            # like HTTP/2 (curl --http2, Java's) ask so with a whole request. It is parsed as if they did not.
            method, version = self.parser.get_method(), self.parser.get_http_version().encode()
            lines = [b"%b: %b" % header for header in self.headers if header[0] != b"upgrade"]
            head = b"\r\n".join([b"%b %b HTTP/%b" % (method, self.url, version), *lines, b"", b""])
            self.parser = httptools.HttpRequestParser(self)
            self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn's own
            self._parse(head + data[upgrade.args[0] :])

    def _check_head(self) -> None:
        """Raises NotHttp for what the parser lets pass and RFC 9112 does not (sections 2.3, 3.2 and 6.1)."""
        version = self.parser.get_http_version()
        hosts = 0
        for name, value in self.headers:
            if name == b"host":
                hosts += 1
            elif name == b"transfer-encoding" and value.lower() != b"chunked":
                raise NotHttp
        known = version == "1.0" or (version == "1.1" and hosts)
        is_tunnel = self.parser.get_method() == b"CONNECT"
        if not known or hosts > 1 or is_tunnel or self._head + len(self.url) > MOST_HEAD_BYTES:
            raise NotHttp

    def _give_up(self) -> None:
        """Ends the connection over what came; not before what came earlier is answered."""
        if self._in_body and self.pipeline:  # it is the last of several, and not begun
            self.pipeline.popleft()
            self.cycle = self.pipeline[0][0] if self.pipeline else self._answering  # type: ignore[assignment]
            self._in_body = False
        if not self._in_body and self._is_at_work():
            self._hear_no_more()
            emit(ConnectionCut(reason="malformed"))
        else:
            self._refuse("malformed", ProblemError(HTTPStatus.BAD_REQUEST, "Invalid HTTP request received."))

    def _hear_no_more(self) -> None:
        """The connection ends with the answer to the last request that was understood."""
        self._deaf = True
        self.cycle.keep_alive = False

    def _refuse(self, reason: Literal["malformed", "crowded"], problem: ProblemError) -> None:
        """Closes the connection, with an answer where none was begun."""
        emit(ConnectionCut(reason=reason))
        self._deaf = True
        if not self.pipeline and not (self._in_body and self.cycle.response_started):
            response = problem.response()
            lines = [b"%b: %b" % header for header in response.raw_headers]
            status = b"HTTP/1.1 %d %b" % (response.status_code, problem.status.phrase.encode())
            head = b"\r\n".join([status, *lines, b"connection: close", b"", b""])
            self.transport.write(head + bytes(response.body))
        if self.cycle is not None:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self._wait_for_client()
        self.transport.close()

    def _wait_for_client(self) -> None:
        """From now on. A timer that runs is left to run, and set anew once it is due too early."""
        self._crowd.remove(self)
        self._crowd.add(self)
        seconds = self._crowd.patience + self.transport.get_write_buffer_size() / SLOWEST_CLIENT
        self._due = self.loop.time() + seconds
        if self._timer is None or self._timer.when() > self._due:
            self._set_timer(self._due)

    def _set_timer(self, due: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self.loop.call_at(due, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        if self._due is None:
            return
        if self._due <= self.loop.time():
            self.cut("slow")
        else:
            self._set_timer(self._due)

    def _is_at_work(self) -> bool:
        cycle = self._answering
        return cycle is not None and not (cycle.response_complete or cycle.disconnected)

    def _wait_no_more_if_at_work(self) -> None:
        if self._is_at_work() and not self.flow.write_paused:
            self._wait_no_more()

    def _wait_no_more(self) -> None:
        self._crowd.remove(self)
        self._due = None
