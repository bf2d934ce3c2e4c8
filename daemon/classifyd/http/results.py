"""`GET /results` and `GET /results/{id}`: what is recorded."""

from datetime import datetime
from http import HTTPStatus
from typing import Annotated
from urllib.parse import urlencode

from fastapi import FastAPI, Path, Query, Request, Response
from pydantic import BeforeValidator

from classifyd.core.documents import ResultDocument, document
from classifyd.core.ports import Results
from classifyd.core.times import utc_moment
from classifyd.core.values import Filter, Source, Status
from classifyd.http.documents import ResultPage
from classifyd.http.openapi import problems
from classifyd.http.problems import ProblemError

_ULID = "^[0-7][0-9A-HJKMNP-TV-Z]{25}$"


def _moment(text: str) -> datetime:
    try:
        return utc_moment(text)
    except OverflowError:
        raise ValueError(f"{text!r} is out of range") from None


Moment = Annotated[datetime, BeforeValidator(_moment)]
"""RFC 3339 with a time zone; pydantic's own reading would take bare numbers too."""


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
        cursor: Annotated[
            str | None, Query(pattern=_ULID, description="From `next` of the page before")
        ] = None,
    ) -> ResultPage:
        """`next`, and the header Link, hold the address of the next page while there is one."""
        wanted = Filter(label, status, source, name, sha256, since, until)
        found = results.page(wanted, limit + 1, before=cursor)
        following = None
        if len(found) > limit:
            query = {**request.query_params, "cursor": found[limit - 1].id}
            following = f"{request.url.path}?{urlencode(query)}"
            response.headers["Link"] = f'<{following}>; rel="next"'
        return ResultPage(results=[document(result) for result in found[:limit]], next=following)

    @app.get("/results/{id}", responses=problems(404, 422, 503), summary="One recorded outcome")
    def show_result(result_id: Annotated[str, Path(alias="id", pattern=_ULID)]) -> ResultDocument:
        result = results.get(result_id)
        if result is None:
            raise ProblemError(HTTPStatus.NOT_FOUND, f"There is no result {result_id}.")
        return document(result)
