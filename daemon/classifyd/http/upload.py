"""Reads the body of a request while it streams: bounded in bytes and in time."""

import asyncio
from collections.abc import Mapping
from http import HTTPStatus

from starlette.types import Receive

from classifyd.core.gate import Limits
from classifyd.http.body import Body, is_form
from classifyd.http.connections import SLOWEST_CLIENT
from classifyd.http.problems import ProblemError

FORM_OVERHEAD = 64 * 2**10
"""Bytes that a form may have beside its picture: boundaries, headers, small fields."""


def most_bytes(headers: Mapping[bytes, bytes], limits: Limits) -> int:
    """How many bytes the body will have at most: what the client declares, else what the limits allow.

    Raises ProblemError where it declares more than they allow.
    """
    allowed = limits.max_bytes + (FORM_OVERHEAD if is_form(headers.get(b"content-type", b"")) else 0)
    declared = int(headers.get(b"content-length", allowed))
    if declared > allowed:
        raise _oversized(declared, limits)
    return declared


async def read_body(receive: Receive, limits: Limits, most: int, grace: float) -> Body:
    """Reads a body of `most` bytes at most, within `grace` seconds and one more for each `SLOWEST_CLIENT`
    bytes that came: who dribbles is cut soon, since an upload holds credits.

    Raises ProblemError for a body that is too large, too slow or cut off.
    """
    body: Body = b""
    try:
        async with asyncio.timeout(grace) as patience:
            deadline = patience.when()
            assert deadline is not None
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ProblemError(
                        HTTPStatus.BAD_REQUEST, "The client left before its upload was complete."
                    )
                chunk: bytes = message.get("body", b"")
                if len(body) + len(chunk) > most:
                    raise _oversized(len(body) + len(chunk), limits)
                if not message.get("more_body", False):
                    return body + chunk if body else chunk
                # Not a list of pieces: that would hold many times the bytes of a client that sends crumbs.
                body = body or bytearray()
                body += chunk
                patience.reschedule(deadline + len(body) / SLOWEST_CLIENT)
    except TimeoutError:
        raise ProblemError(
            HTTPStatus.REQUEST_TIMEOUT, "The upload came too slowly.", {"Connection": "close"}
        ) from None


def _oversized(size: int, limits: Limits) -> ProblemError:
    return ProblemError(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        f"The request has {size:,} bytes or more; limits.max_bytes allows pictures of {limits.max_bytes:,}.",
        code="too_large",
    )
