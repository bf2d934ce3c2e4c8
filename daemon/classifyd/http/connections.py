"""Connections that are bounded: in number, and in the time that their clients may take.

uvicorn waits for ever for a request's first line and headers, for the rest of a body that nobody reads any
more, and for a client to take its answer. Here a client that owes one of these is cut off when its time is
over; and when no more connections may be open, the one that has owed longest makes room, as nginx drains its
oldest idle ones. Bodies that are read, and what is worked on, are bounded elsewhere (`upload`, `classify`).
"""

import asyncio
from functools import partial
from http import HTTPStatus
from typing import Any, Literal, cast

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from classifyd.http.problems import ProblemError, away
from classifyd.telemetry import emit
from classifyd.telemetry.http import ConnectionCut

SLOWEST_CLIENT = 64 * 2**10
"""Bytes a second that a client must bring or take, past a grace: slower ones hold memory for others."""


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


class Connection(H11Protocol):
    """A connection within a crowd. What is no HTTP is answered with a problem, as the application does."""

    def __init__(self, *arguments: Any, crowd: Crowd, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._crowd = crowd
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > self._crowd.most and not self._crowd.make_room():
            self._refuse("crowded", away("As many connections are open as http.max_connections allows."))
        self._wait_for_client()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._wait_no_more_if_at_work()

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
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        self._refuse("malformed", ProblemError(HTTPStatus.BAD_REQUEST, msg))

    def cut(self, reason: Literal["slow", "crowded"]) -> None:
        """Closes the connection at once, whatever was still to be sent."""
        emit(ConnectionCut(reason=reason))
        self._wait_no_more()
        self.transport.abort()

    def _refuse(self, reason: Literal["malformed", "crowded"], problem: ProblemError) -> None:
        """Closes the connection, with an answer where none was begun."""
        emit(ConnectionCut(reason=reason))
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            response = problem.response()
            head = h11.Response(
                status_code=response.status_code,
                headers=[*response.raw_headers, (b"connection", b"close")],
                reason=problem.status.phrase,
            )
            for event in (head, h11.Data(data=bytes(response.body)), h11.EndOfMessage()):
                self.transport.write(self.conn.send(event) or b"")
        if self.cycle is not None:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self._wait_for_client()
        self.transport.close()

    def _wait_for_client(self) -> None:
        self._wait_no_more()
        self._crowd.add(self)
        seconds = self._crowd.patience + self.transport.get_write_buffer_size() / SLOWEST_CLIENT
        self._deadline = self.loop.call_later(seconds, self.cut, "slow")

    def _wait_no_more_if_at_work(self) -> None:
        cycle = self.cycle
        answering = cycle is not None and not (cycle.response_complete or cycle.disconnected)
        if answering and not self.flow.write_paused:
            self._wait_no_more()

    def _wait_no_more(self) -> None:
        self._crowd.remove(self)
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
