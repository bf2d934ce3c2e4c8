"""What the HTTP API tells."""

import logging
from dataclasses import dataclass

from classifyd.core.values import Source, Status
from classifyd.telemetry.events import Event
from classifyd.telemetry.metrics import http_cut, http_requests, pictures


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpListening(Event):
    message = "HTTP API listens"
    url: str
    max_connections: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestAnswered(Event):
    """`route` is the route's template, never a path that a client made up; likewise `method`."""

    level = logging.DEBUG
    message = "request answered"
    method: str
    route: str
    code: int
    seconds: float

    def measure(self) -> None:
        http_requests.labels(self.method, self.route, str(self.code)).inc()


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadRefused(Event):
    """The gate refused a picture that came over HTTP: its sender is told, no row is written."""

    level = logging.DEBUG
    message = "uploaded picture refused"
    model: str
    reason: str
    detail: str

    def measure(self) -> None:
        pictures.labels(Source.HTTP, self.model, Status.REJECTED, self.reason).inc()


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionCut(Event):
    """`reason` is slow (the client owed something for too long), crowded (as many are open as may be) or
    malformed (what came is no HTTP)."""

    level = logging.DEBUG
    message = "HTTP connection cut off"
    reason: str

    def measure(self) -> None:
        http_cut.labels(self.reason).inc()
