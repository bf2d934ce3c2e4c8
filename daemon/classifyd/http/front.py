"""The outermost layer: turns away who may not ask, sends pictures the short way, and counts every answer."""

import time
from http import HTTPStatus

from fastapi import FastAPI
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from classifyd.http.access import Access
from classifyd.http.classify import ROUTE, Classify
from classifyd.telemetry import emit
from classifyd.telemetry.http import RequestAnswered

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Front:
    """ASGI: answers those alone who have access, and tells of every answer.

    Pictures go straight to `classify`, everything else to `application`.
    """

    def __init__(self, application: FastAPI, classify: Classify, access: Access) -> None:
        self.application = application
        self._classify = classify
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.application(scope, receive, send)
            return
        status = HTTPStatus.INTERNAL_SERVER_ERROR.value
        begun = time.monotonic()

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        answering: ASGIApp = self.application
        try:
            if problem := self._access.problem(scope):
                answering = problem.response()
            elif self._classify.concerns(scope):
                answering = self._classify
            await answering(scope, receive, noting)
        finally:
            emit(
                RequestAnswered(
                    method=scope["method"] if scope["method"] in _METHODS else "other",
                    route=_route(scope) if answering is not self._classify else ROUTE,
                    code=status,
                    seconds=time.monotonic() - begun,
                )
            )


def _route(scope: Scope) -> str:
    """That of the application which answered, if one did."""
    return str(getattr(scope.get("route"), "path", "none"))
