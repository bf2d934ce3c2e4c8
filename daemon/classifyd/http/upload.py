"""Reads the picture out of a request while it streams: bounded in bytes and in time."""

import asyncio
from collections.abc import AsyncIterator
from http import HTTPStatus

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header
from starlette.requests import Request
from starlette.types import Receive

from classifyd.core.gate import Limits
from classifyd.http.body import Body, FormBody, RawBody, Upload
from classifyd.http.connections import SLOWEST_CLIENT
from classifyd.http.problems import ProblemError

FORM_OVERHEAD = 64 * 2**10
"""Bytes that a form may have beside its picture: boundaries, headers, small fields."""


def most_bytes(request: Request, limits: Limits) -> int:
    """How many bytes the body will have at most: what the client declares, else what the limits allow.

    Raises ProblemError where it declares more than they allow.
    """
    allowed = limits.max_bytes + (FORM_OVERHEAD if _is_form(request) else 0)
    declared = int(request.headers.get("content-length", allowed))
    if declared > allowed:
        raise _oversized(declared, limits)
    return declared


async def read_upload(request: Request, limits: Limits, most: int, grace: float) -> Upload:
    """Reads a body of `most` bytes at most, within `grace` seconds and one more for each `SLOWEST_CLIENT`
    bytes that came: who dribbles is cut soon, since an upload holds credits.

    Raises ProblemError for a body that is too large, too slow, cut off, or holds no picture.
    """
    size = 0
    try:
        body = _body(request)
        async with asyncio.timeout(grace) as patience:
            deadline = patience.when()
            assert deadline is not None
            async for chunk in _chunks(request.receive):
                size += len(chunk)
                if size > most:
                    raise _oversized(size, limits)
                body.write(chunk)
                patience.reschedule(deadline + size / SLOWEST_CLIENT)
    except TimeoutError:
        raise ProblemError(
            HTTPStatus.REQUEST_TIMEOUT, "The upload came too slowly.", {"Connection": "close"}
        ) from None
    except FormParserError as error:
        raise ProblemError(HTTPStatus.BAD_REQUEST, f"The form cannot be read: {error}.") from error
    return body.upload()


def _is_form(request: Request) -> bool:
    return request.headers.get("content-type", "").lower().startswith("multipart/")


def _body(request: Request) -> Body:
    if not _is_form(request):
        return RawBody()
    _, options = parse_options_header(request.headers["content-type"])
    boundary = options.get(b"boundary")
    if not boundary:
        raise ProblemError(HTTPStatus.BAD_REQUEST, "The form's Content-Type tells no boundary.")
    return FormBody(boundary)


async def _chunks(receive: Receive) -> AsyncIterator[bytes]:
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ProblemError(HTTPStatus.BAD_REQUEST, "The client left before its upload was complete.")
        yield message.get("body", b"")
        more = message.get("more_body", False)


def _oversized(size: int, limits: Limits) -> ProblemError:
    return ProblemError(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        f"The request has {size:,} bytes or more; limits.max_bytes allows pictures of {limits.max_bytes:,}.",
        code="too_large",
    )
