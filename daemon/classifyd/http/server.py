"""The service that serves the application with uvicorn, in the thread that runs it."""

import http.client
import math
import resource
import socket
from http import HTTPStatus

import uvicorn
from starlette.types import ASGIApp

from classifyd.core.errors import ConfigurationError
from classifyd.http.config import HttpConfig
from classifyd.http.connections import Crowd
from classifyd.telemetry import emit
from classifyd.telemetry.http import HttpListening

_WAITING = 2048
"""Connections that the system keeps for the daemon until it accepts them."""
_ACCEPTED_AT_ONCE = 0.25
"""The part of the most connections that is accepted before the first of them can be turned away."""

_PROBE_TIMEOUT = 2.0


class _Server(uvicorn.Server):
    """asyncio takes one number for how many connections wait and how many it accepts at once."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for listener in sockets or ():
            listener.listen(_WAITING)


class HttpServer:
    """A `core.ports.Service`. The port is taken when it is made, so that a taken one refuses the start."""

    def __init__(self, app: ASGIApp, config: HttpConfig, stop_timeout: float) -> None:
        """Binds and listens; `stop_timeout` is how many seconds open requests get once it is stopped.

        Raises ConfigurationError where host and port cannot be listened on.
        """
        self._most = _most_connections(config.max_connections)
        self._socket = _listen(config.host, config.port)
        self._url = _url(self._socket)
        self._server = _Server(
            uvicorn.Config(
                app,
                http=Crowd(self._most, config.client_timeout).protocol(),
                loop="uvloop",
                log_config=None,
                access_log=False,
                lifespan="off",
                ws="none",
                proxy_headers=False,
                server_header=False,
                backlog=math.ceil(self._most * _ACCEPTED_AT_ONCE),
                timeout_graceful_shutdown=math.ceil(stop_timeout),
            )
        )

    @property
    def name(self) -> str:
        return "http"

    @property
    def url(self) -> str:
        """Where it listens."""
        return self._url

    def run(self) -> None:
        """Serves until stopped. Signals are left to the main thread, which must not be this one."""
        with self._socket:
            if not self._server.should_exit:
                emit(HttpListening(url=self._url, max_connections=self._most))
                self._server.run(sockets=[self._socket])

    def stop(self) -> None:
        self._server.should_exit = True


def try_address(host: str, port: int) -> str:
    """Listens there for a moment; tells what was found. A classifyd that answers there already is fine: it is
    mostly the daemon beside which somebody checks its settings.

    Raises ConfigurationError where nothing can listen.
    """
    try:
        with _listen(host, port):
            return f"{host}:{port} is free"
    except ConfigurationError:
        if not _is_classifyd(host, port):
            raise
        return f"{host}:{port} is served by a classifyd that runs"


def _is_classifyd(host: str, port: int) -> bool:
    connection = http.client.HTTPConnection(host, port, timeout=_PROBE_TIMEOUT)
    try:
        connection.request("GET", "/healthz", headers={"Host": "localhost"})
        answer = connection.getresponse()
        return answer.status == HTTPStatus.OK and answer.read(100) == b'{"alive":true}'
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _most_connections(wanted: int) -> int:
    """As many as are wanted, and leave half of the files that the process may open to its other parts."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return wanted if files == resource.RLIM_INFINITY else max(1, min(wanted, files // 2))


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(_WAITING)
        except BaseException:
            listener.close()
            raise
    except OSError as error:
        raise ConfigurationError(
            f"the HTTP API cannot listen on {host}:{port} ({error.strerror or error}): choose another "
            "address with --http HOST:PORT or the settings http.host and http.port, or none with --no-http"
        ) from error
    return listener
