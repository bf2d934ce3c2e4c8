"""`POST /classify/{model}` and `GET /classify`.

The first is the hot route: it reads its own parameters and writes its own JSON, so that neither pydantic
nor a thread stands between a picture and its answer.
"""

import asyncio
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from http import HTTPStatus

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

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
from classifyd.http.body import Upload
from classifyd.http.config import HttpConfig
from classifyd.http.openapi import classify_request, problems
from classifyd.http.problems import ProblemError, away, busy
from classifyd.http.upload import most_bytes, read_upload
from classifyd.http.waiter import Waiter
from classifyd.telemetry import emit
from classifyd.telemetry.http import UploadRefused

ASIDE_BYTES = 2**20
"""Pictures of more bytes are hashed and inspected in a thread, so that other requests do not wait for it."""

_TRACEPARENT = re.compile("[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")  # W3C Trace Context, 3.2


class Classify:
    """Takes a picture from a request through a model's intake to its answer."""

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

    async def answer(self, request: Request) -> Response:
        model = self._model(request.path_params["model"])
        candidates = asked_candidates(request)
        settlement = await self._settlement(request, model)
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

    async def _settlement(self, request: Request, model: Model) -> Settlement:
        inlet = model.inlet
        size = most_bytes(request, self._limits)
        if not inlet.reserve(size):
            if closed := inlet.closed or model.away:
                raise away(f"Model {model.name} cannot be asked now: {closed}.")
            raise busy(f"Model {model.name} has as many pictures under way as it may.")
        try:
            upload = await read_upload(request, self._limits, size, self._deadline)
            image = await self._image(request, upload, model)
            waiter = Waiter(inlet, size)
        except BaseException:
            inlet.release(size)
            raise
        inlet.offer(Delivery(image, waiter.settle, records=self._records, publish=self._publish))
        try:
            return await waiter.wait(self._deadline)
        except TimeoutError:
            raise ProblemError(
                HTTPStatus.GATEWAY_TIMEOUT,
                f"Model {model.name} did not answer within {self._deadline:g} s (setting http.deadline).",
            ) from None

    async def _image(self, request: Request, upload: Upload, model: Model) -> Image:
        origin = Origin(
            Source.HTTP, f"http:{self._new_id()}", None if upload.name is None else names.encode(upload.name)
        )
        inspected = origin, upload.data, self._limits, self._clock(), _traceparent(request)
        if len(upload.data) > ASIDE_BYTES:
            image, refusal = await asyncio.to_thread(examine, *inspected)
        else:
            image, refusal = examine(*inspected)
        if refusal is not None:
            emit(UploadRefused(model=model.name, reason=refusal.reason, detail=refusal.detail))
            raise refused(refusal)
        return image


def add_classify_routes(app: FastAPI, models: Mapping[str, Model], classify: Classify) -> None:
    """Adds both routes to the application."""

    @app.post(
        "/classify/{model}",
        response_model=documents.Answer | documents.Classes,
        responses=problems(400, 404, 408, 413, 422, 429, 503, 504),
        openapi_extra=classify_request(models, MOST_CANDIDATES),
        summary="Classify a picture",
    )
    async def classify_picture(request: Request) -> Response:
        """Answers with the index of the best class; with `?top=`, with the best classes and more.

        The picture is a JPEG, as the form field `image` or as the body itself.
        """
        return await classify.answer(request)

    @app.get("/classify", summary="The models")
    async def list_models() -> documents.Models:
        return documents.Models(models=[state(model) for model in models.values()])


def _traceparent(request: Request) -> str | None:
    text = request.headers.get("traceparent")
    return text if text is not None and _TRACEPARENT.fullmatch(text) else None
