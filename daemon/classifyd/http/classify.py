"""`POST /classify/{model}` and `GET /classify`.

The first is the hot route: an ASGI application of its own, which reads its own parameters and writes its own
answer. The framework's routing, middleware and exception handlers take longer than all the rest together.
"""

import asyncio
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from http import HTTPStatus

from fastapi import FastAPI
from starlette.types import Receive, Scope, Send

from classifyd.core import names
from classifyd.core.gate import Limits
from classifyd.core.images import examine
from classifyd.core.ports import Model
from classifyd.core.values import (
    Delivery,
    Disposition,
    Image,
    Origin,
    Rejected,
    Settlement,
    Source,
    Status,
)
from classifyd.http import documents
from classifyd.http.answers import MOST_CANDIDATES, answer, asked_candidates, refused, state
from classifyd.http.body import Body, picture
from classifyd.http.config import HttpConfig
from classifyd.http.openapi import classify_request, problems
from classifyd.http.problems import UNEXPECTED, ProblemError, away, busy
from classifyd.http.upload import most_bytes, read_body
from classifyd.http.waiter import Waiter, WaitingRoom
from classifyd.telemetry import emit
from classifyd.telemetry.http import UploadRefused

ROUTE = "/classify/{model}"
_PREFIX = "/classify/"

ASIDE_BYTES = 2**20
"""Pictures of more bytes are hashed and inspected in a thread, so that other requests do not wait for it."""

_TRACEPARENT = re.compile(b"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")  # W3C Trace Context, 3.2

Headers = Mapping[bytes, bytes]


class Classify:
    """ASGI: takes a picture from a request through a model's intake to its answer."""

    def __init__(
        self,
        models: Mapping[str, Model],
        config: HttpConfig,
        limits: Limits,
        clock: Callable[[], datetime],
        new_id: Callable[[], str],
    ) -> None:
        self._models = models
        self._limits = limits
        self._deadline = config.deadline
        self._records = frozenset({Status.CLASSIFIED}) if config.record else frozenset()
        self._publish = config.publish
        self._clock = clock
        self._new_id = new_id
        self._room: WaitingRoom | None = None

    @staticmethod
    def concerns(scope: Scope) -> bool:
        """Whether the request is for this route."""
        path: str = scope["path"]
        return (
            path.startswith(_PREFIX)
            and "/" not in path[len(_PREFIX) :]
            and len(path) > len(_PREFIX)
            and scope["method"] == "POST"
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            body = await self._answer(scope, receive)
        except ProblemError as problem:
            await problem.response()(scope, receive, send)
        except Exception:
            await UNEXPECTED.response()(scope, receive, send)
            raise  # to the server, which logs it
        else:
            length = b"%d" % len(body)
            headers = [(b"content-length", length), (b"content-type", b"application/json")]
            await send({"type": "http.response.start", "status": HTTPStatus.OK.value, "headers": headers})
            await send({"type": "http.response.body", "body": body})

    async def _answer(self, scope: Scope, receive: Receive) -> bytes:
        model = self._model(scope["path"][len(_PREFIX) :])
        candidates = asked_candidates(scope["query_string"])
        settlement = await self._settlement(dict(scope["headers"]), receive, model)
        result = settlement.result
        if settlement.disposition is Disposition.RETRY or result is None:
            raise away(f"The picture could not be classified now: {settlement.detail}.")
        if isinstance(result.outcome, Rejected):
            raise refused(result.outcome)
        return answer(result, result.outcome, candidates)

    def _model(self, name: str) -> Model:
        model = self._models.get(name)
        if model is None:
            raise ProblemError(
                HTTPStatus.NOT_FOUND, f"There is no model {name!r}; there are: {', '.join(self._models)}."
            )
        return model

    async def _settlement(self, headers: Headers, receive: Receive, model: Model) -> Settlement:
        inlet = model.inlet
        room = self._waiting_room()
        size = most_bytes(headers, self._limits)
        if not inlet.reserve(size):
            if closed := inlet.closed or model.away:
                raise away(f"Model {model.name} cannot be asked now: {closed}.")
            raise busy(f"Model {model.name} has as many pictures under way as it may.")
        try:
            image = await self._received(receive, size, headers, model)
            waiter = Waiter(room, inlet, size)
        except BaseException:
            inlet.release(size)
            raise
        delivery = Delivery(image, waiter.settle, records=self._records, publish=self._publish)
        room.offer(model, delivery)
        try:
            return await waiter.wait()
        except TimeoutError:
            raise ProblemError(
                HTTPStatus.GATEWAY_TIMEOUT,
                f"Model {model.name} did not answer within {self._deadline:g} s (setting http.deadline).",
            ) from None

    async def _received(self, receive: Receive, size: int, headers: Headers, model: Model) -> Image:
        """The picture alone: the body that it was copied out of is not kept while it waits."""
        body = await read_body(receive, self._limits, size, self._deadline)
        if len(body) > ASIDE_BYTES:
            return await asyncio.to_thread(self._image, body, headers, model)
        return self._image(body, headers, model)

    def _image(self, body: Body, headers: Headers, model: Model) -> Image:
        upload = picture(body, headers.get(b"content-type", b""))
        origin = Origin(
            Source.HTTP, f"http:{self._new_id()}", None if upload.name is None else names.encode(upload.name)
        )
        image, refusal = examine(origin, upload.data, self._limits, self._clock(), _traceparent(headers))
        if refusal is not None:
            emit(UploadRefused(model=model.name, reason=refusal.reason, detail=refusal.detail))
            raise refused(refusal)
        return image

    def _waiting_room(self) -> WaitingRoom:
        """That of the running event loop."""
        if self._room is None or self._room.loop is not asyncio.get_running_loop():
            self._room = WaitingRoom(self._deadline)
        return self._room


def add_classify_routes(app: FastAPI, models: Mapping[str, Model]) -> None:
    """Adds both routes to the application: the first so that it is described, and other methods refused."""

    @app.post(
        ROUTE,
        response_model=documents.Answer | documents.Classes,
        responses=problems(400, 404, 408, 413, 422, 429, 503, 504),
        openapi_extra=classify_request(models, MOST_CANDIDATES),
        summary="Classify a picture",
    )
    async def classify_picture() -> None:
        """Answers with the index of the best class; with `?top=`, with the best classes and more.

        The picture is a JPEG, as the form field `image` or as the body itself.
        """
        raise AssertionError("answered by Classify, before the application is asked")

    @app.get("/classify", summary="The models")
    async def list_models() -> documents.Models:
        return documents.Models(models=[state(model) for model in models.values()])


def _traceparent(headers: Headers) -> str | None:
    text = headers.get(b"traceparent", b"")
    return text.decode() if _TRACEPARENT.fullmatch(text) else None
