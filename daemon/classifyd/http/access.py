"""The outermost layer: asks for the key, or turns foreign web pages away, and counts every answer."""

import hmac
import time
from http import HTTPStatus

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from classifyd.http import browsers
from classifyd.http.problems import ProblemError
from classifyd.telemetry import emit
from classifyd.telemetry.http import RequestAnswered

OPEN_PATHS = frozenset({"/healthz", "/readyz"})
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Access:
    """Who may see what: those who show the key, or where there is none, everybody but foreign web pages."""

    def __init__(self, api_key: str | None, host: str) -> None:
        """`host` is where the daemon listens."""
        self._expected = None if api_key is None else api_key.encode()
        self._local = browsers.listens_locally(host)

    def granted(self, scope: Scope) -> bool:
        """Whether the request shows the key, if there is one; compared in constant time."""
        if self._expected is None:
            return True
        shown = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
        scheme, _, key = shown.partition(b" ")
        return hmac.compare_digest(key.strip(), self._expected) and scheme.lower() == b"bearer"

    def problem(self, scope: Scope) -> ProblemError | None:
        """Why the request is not answered, if it is not."""
        if self._expected is None:
            told = browsers.refusal(scope["method"], dict(scope["headers"]), self._local)
            return None if told is None else ProblemError(HTTPStatus.FORBIDDEN, told)
        if scope["path"] in OPEN_PATHS or self.granted(scope):
            return None
        return ProblemError(
            HTTPStatus.UNAUTHORIZED,
            "This needs the API key (setting http.api_key), as Authorization: Bearer KEY.",
            {"WWW-Authenticate": "Bearer"},
        )


class Front:
    """ASGI middleware: answers those alone who have access, and tells of every answer."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app = app
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun, status = time.monotonic(), HTTPStatus.INTERNAL_SERVER_ERROR.value

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            problem = self._access.problem(scope)
            answering = self._app if problem is None else problem.response()
            await answering(scope, receive, noting)
        finally:
            emit(
                RequestAnswered(
                    method=scope["method"] if scope["method"] in _METHODS else "other",
                    route=getattr(scope.get("route"), "path", "none"),
                    code=status,
                    seconds=time.monotonic() - begun,
                )
            )
