"""`GET /results` and `GET /results/{id}`: what is recorded."""

import base64
import re
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated
from urllib.parse import urlencode

from fastapi import FastAPI, Path, Query, Request, Response
from pydantic import AfterValidator, AwareDatetime

from classifyd.core.documents import ResultDocument, document
from classifyd.core.ports import Results
from classifyd.core.values import Filter, Source, Status
from classifyd.http.documents import ResultPage
from classifyd.http.openapi import problems
from classifyd.http.problems import ProblemError

_ULID = "^[0-7][0-9A-HJKMNP-TV-Z]{25}$"


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("is out of range") from None


Moment = Annotated[AwareDatetime, AfterValidator(_in_utc)]


def add_results_routes(app: FastAPI, results: Results) -> None:
    """Adds both routes to the application. They read the database in the server's pool of threads."""

    @app.get("/results", responses=problems(422, 503), summary="Recorded outcomes, newest first")
    def list_results(
        request: Request,
        response: Response,
        label: str | None = None,
        status: Status | None = None,
        source: Source | None = None,
        name: Annotated[str | None, Query(description="The file's name or the Kafka key")] = None,
        sha256: Annotated[str | None, Query(pattern="^[0-9a-f]{64}$")] = None,
        since: Annotated[Moment | None, Query(description="Classified then or later")] = None,
        until: Annotated[Moment | None, Query(description="Classified before then")] = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 50,
        cursor: Annotated[str | None, Query(description="From `next` of the page before")] = None,
    ) -> ResultPage:
        """`next`, and the header Link, hold the address of the next page while there is one."""
        wanted = Filter(label, status, source, name, sha256, since, until)
        found = results.page(wanted, limit + 1, None if cursor is None else _id_of(cursor))
        following = None
        if len(found) > limit:
            query = {**request.query_params, "cursor": _cursor_of(found[limit - 1].id)}
            following = f"{request.url.path}?{urlencode(query)}"
            response.headers["Link"] = f'<{following}>; rel="next"'
        return ResultPage(results=[document(result) for result in found[:limit]], next=following)

    @app.get("/results/{id}", responses=problems(404, 422, 503), summary="One recorded outcome")
    def show_result(result_id: Annotated[str, Path(alias="id", pattern=_ULID)]) -> ResultDocument:
        result = results.get(result_id)
        if result is None:
            raise ProblemError(HTTPStatus.NOT_FOUND, f"There is no result {result_id}.")
        return document(result)


def _cursor_of(result_id: str) -> str:
    return base64.urlsafe_b64encode(result_id.encode()).decode().rstrip("=")


def _id_of(cursor: str) -> str:
    try:
        result_id = base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True).decode("ascii")
    except ValueError:
        result_id = ""
    if not re.fullmatch(_ULID, result_id):
        raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, "query cursor: take it from `next`, unchanged.")
    return result_id
