"""What `POST /classify/{model}` answers, short or long, and what `GET /classify` says of a model."""

from dataclasses import asdict
from http import HTTPStatus

import orjson
from starlette.datastructures import QueryParams

from classifyd.core.ports import Model
from classifyd.core.values import Prediction, Reason, Rejected, Result
from classifyd.http.documents import ModelState
from classifyd.http.problems import ProblemError

MOST_CANDIDATES = 1000
"""The largest `?top=`; a model gives as many as it is configured to keep (`top_k`)."""

_STATUS_OF_REASON = {
    Reason.TOO_LARGE: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    Reason.TOO_COMPLEX: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    Reason.REFUSED_BY_MODEL: HTTPStatus.UNPROCESSABLE_ENTITY,
    Reason.MODEL_FAILED: HTTPStatus.UNPROCESSABLE_ENTITY,
}


def asked_candidates(query: bytes) -> int | None:
    """The number of `?top=`, or None for the short answer. Raises ProblemError where it makes no sense."""
    text = QueryParams(query).get("top") if query else None
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) < 5 and 1 <= int(text) <= MOST_CANDIDATES):
        raise ProblemError(
            HTTPStatus.UNPROCESSABLE_ENTITY, f"query top: must be a number from 1 to {MOST_CANDIDATES}."
        )
    return int(text)


def answer(result: Result, prediction: Prediction, candidates: int | None) -> bytes:
    """`{"classes": N}`, or the longer form with up to so many candidates."""
    best = prediction.best
    if candidates is None:
        return b'{"classes": %d}' % best.class_index
    document = {
        "classes": best.class_index,
        "label": best.label,
        "confidence": best.probability,
        "top": [asdict(candidate) for candidate in prediction.top[:candidates]],
        "model": prediction.model,
        "model_version": prediction.model_version,
        "id": result.id,
    }
    return orjson.dumps(document)


def refused(rejected: Rejected) -> ProblemError:
    """The problem with a picture."""
    status = _STATUS_OF_REASON.get(rejected.reason, HTTPStatus.BAD_REQUEST)
    return ProblemError(status, rejected.detail, code=rejected.reason)


def state(model: Model) -> ModelState:
    """What a model is and whether it can be asked."""
    info, reason = model.info, model.away
    return ModelState(
        name=model.name,
        engine=model.engine,
        version=info.version if info else None,
        state="ready" if reason is None else "away",
        detail=reason or "",
        classes=len(info.labels) if info else None,
    )
