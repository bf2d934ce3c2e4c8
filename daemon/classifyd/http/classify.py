"""`POST /classify/{model}` and `GET /classify`.

The first is the hot route: it reads its own parameters and writes its own JSON, so that neither pydantic
nor a thread stands between a picture and its answer.
"""

import asyncio
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import datetime
from http import HTTPStatus

import orjson
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
    Prediction,
    Reason,
    Rejected,
    Result,
    Settlement,
    Source,
    Status,
)
from classifyd.http import documents
from classifyd.http.body import Upload
from classifyd.http.config import HttpConfig
from classifyd.http.openapi import classify_request, problems
from classifyd.http.problems import ProblemError, away, busy
from classifyd.http.upload import most_bytes, read_upload
from classifyd.http.waiter import Waiter
from classifyd.telemetry import emit
from classifyd.telemetry.http import UploadRefused

MOST_CANDIDATES = 1000
"""The largest `?top=`; a model gives as many as it is configured to keep (`top_k`)."""

ASIDE_BYTES = 2**20
"""Pictures of more bytes are hashed and inspected in a thread, so that other requests do not wait for it."""

_TRACEPARENT = re.compile("[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")  # W3C Trace Context, 3.2

_STATUS_OF_REASON = {
    Reason.TOO_LARGE: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    Reason.TOO_COMPLEX: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    Reason.REFUSED_BY_MODEL: HTTPStatus.UNPROCESSABLE_ENTITY,
    Reason.MODEL_FAILED: HTTPStatus.UNPROCESSABLE_ENTITY,
}


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
        candidates = _candidates(request)
        settlement = await self._settlement(request, model)
        result = settlement.result
        if settlement.disposition is Disposition.RETRY or result is None:
            raise away(f"The picture could not be classified now: {settlement.detail}.")
        if isinstance(result.outcome, Rejected):
            raise _refused(result.outcome)
        return _answer(result, result.outcome, candidates)

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
            raise _refused(refusal)
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
        return documents.Models(models=[_state(model) for model in models.values()])


def _candidates(request: Request) -> int | None:
    text = request.query_params.get("top")
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) < 5 and 1 <= int(text) <= MOST_CANDIDATES):
        raise ProblemError(
            HTTPStatus.UNPROCESSABLE_ENTITY, f"query top: must be a number from 1 to {MOST_CANDIDATES}."
        )
    return int(text)


def _traceparent(request: Request) -> str | None:
    text = request.headers.get("traceparent")
    return text if text is not None and _TRACEPARENT.fullmatch(text) else None


def _refused(rejected: Rejected) -> ProblemError:
    status = _STATUS_OF_REASON.get(rejected.reason, HTTPStatus.BAD_REQUEST)
    return ProblemError(status, rejected.detail, code=rejected.reason)


def _answer(result: Result, prediction: Prediction, candidates: int | None) -> Response:
    best = prediction.best
    if candidates is None:
        return Response(b'{"classes": %d}' % best.class_index, media_type="application/json")
    answer = {
        "classes": best.class_index,
        "label": best.label,
        "confidence": best.probability,
        "top": [asdict(candidate) for candidate in prediction.top[:candidates]],
        "model": prediction.model,
        "model_version": prediction.model_version,
        "id": result.id,
    }
    return Response(orjson.dumps(answer), media_type="application/json")


def _state(model: Model) -> documents.ModelState:
    info, reason = model.info, model.away
    return documents.ModelState(
        name=model.name,
        engine=model.engine,
        version=info.version if info else None,
        state="ready" if reason is None else "away",
        detail=reason or "",
        classes=len(info.labels) if info else None,
    )
