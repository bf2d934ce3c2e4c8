"""Errors as `application/problem+json` (RFC 9457): every one, those of the framework too."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import orjson
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from classifyd.core.errors import StoreUnavailable
from classifyd.core.values import Reason

MEDIA_TYPE = "application/problem+json"

RETRY_SOON = 1
"""Seconds for `Retry-After` where a full lane has to move up."""
RETRY_LATER = 5
"""Seconds for `Retry-After` where a part of the daemon is away."""


class Problem(BaseModel):
    """What went wrong, and what to do."""

    model_config = ConfigDict(extra="allow")

    type: str = Field("about:blank", description="The status says it all (RFC 9457, section 4.2.1)")
    title: str
    status: int
    detail: str
    code: Reason | None = Field(None, description="Why a picture is refused")


class ProblemError(Exception):
    """Ends a request with a problem. `extra` are further members of the problem."""

    def __init__(
        self, status: HTTPStatus, detail: str, headers: Mapping[str, str] | None = None, **extra: Any
    ) -> None:
        super().__init__(detail)
        self.status, self.detail, self.headers, self.extra = status, detail, headers, extra

    def response(self) -> Response:
        body = {
            "type": "about:blank",
            "title": self.status.phrase,
            "status": self.status.value,
            "detail": self.detail,
            **self.extra,
        }
        return Response(orjson.dumps(body), self.status.value, self.headers, MEDIA_TYPE)


UNEXPECTED = ProblemError(
    HTTPStatus.INTERNAL_SERVER_ERROR, "The daemon failed on this request; its log says why."
)


def busy(detail: str) -> ProblemError:
    """No credit is free now."""
    return ProblemError(HTTPStatus.TOO_MANY_REQUESTS, detail, {"Retry-After": str(RETRY_SOON)})


def away(detail: str) -> ProblemError:
    """A part of the daemon cannot be asked now, and will be again."""
    return ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, detail, {"Retry-After": str(RETRY_LATER)})


def install(app: FastAPI) -> None:
    """Has all errors of the application answered as problems."""
    app.add_exception_handler(ProblemError, _problem)
    app.add_exception_handler(HTTPException, _framework)
    app.add_exception_handler(RequestValidationError, _validation)
    app.add_exception_handler(StoreUnavailable, _store)
    app.add_exception_handler(Exception, _unexpected)


async def _problem(_request: Request, error: Exception) -> Response:
    assert isinstance(error, ProblemError)
    return error.response()


async def _framework(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    status = HTTPStatus(error.status_code)
    detail = {
        HTTPStatus.NOT_FOUND: f"There is nothing at {request.url.path}; /docs shows what there is.",
        HTTPStatus.METHOD_NOT_ALLOWED: f"{request.url.path} does not take {request.method}.",
    }.get(status, error.detail)
    return ProblemError(status, detail, error.headers).response()


async def _validation(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    complaints = [f"{_place(complaint['loc'])}: {complaint['msg']}" for complaint in error.errors()]
    return ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, "; ".join(complaints)).response()


def _place(location: tuple[str | int, ...]) -> str:
    return " ".join(str(step) for step in location)


async def _store(_request: Request, error: Exception) -> Response:
    return away(f"The database cannot be read now: {error}").response()


async def _unexpected(_request: Request, _error: Exception) -> Response:
    return UNEXPECTED.response()
