"""What /openapi.json says beyond what the routes' signatures tell."""

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI

from classifyd.http.access import OPEN_PATHS
from classifyd.http.problems import MEDIA_TYPE, Problem

_JPEG = {"type": "string", "format": "binary", "contentMediaType": "image/jpeg"}

_RETRY_AFTER = {"Retry-After": {"description": "Seconds", "schema": {"type": "integer", "minimum": 0}}}
_HEADERS: dict[int, Any] = {
    401: {"WWW-Authenticate": {"schema": {"const": "Bearer"}}},
    429: _RETRY_AFTER,
    503: _RETRY_AFTER,
}
_COMPONENT = "#/components/schemas/{model}"


def classify_request(models: Iterable[str], most_candidates: int) -> dict[str, Any]:
    """What the hot route takes, since it reads its parameters itself."""
    return {
        "parameters": [
            {
                "name": "model",
                "in": "path",
                "required": True,
                "schema": {"type": "string", "enum": list(models)},
            },
            {
                "name": "top",
                "in": "query",
                "description": "Answer at length, with up to so many classes",
                "schema": {"type": "integer", "minimum": 1, "maximum": most_candidates},
            },
        ],
        "requestBody": {
            "required": True,
            "content": {
                "multipart/form-data": {
                    "schema": {"type": "object", "required": ["image"], "properties": {"image": _JPEG}},
                    "encoding": {"image": {"contentType": "image/jpeg"}},
                },
                "image/jpeg": {"schema": _JPEG},
            },
        },
    }


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route that may answer with problems of these statuses."""
    return {status: _problem(status) for status in statuses}


def complete(app: FastAPI, with_key: bool) -> None:
    """Adds to the application's description what all routes share: the shape of problems, the failure, and,
    `with_key`, the API key, or else the refusal of foreign web pages. Call it when all routes are there."""
    description = app.openapi()  # which the application keeps and serves
    shape = Problem.model_json_schema(ref_template=_COMPONENT)
    components = description.setdefault("components", {})
    components.setdefault("schemas", {}).update({**shape.pop("$defs"), Problem.__name__: shape})
    shared = {"500": _problem(500), "401" if with_key else "403": _problem(401 if with_key else 403)}
    if with_key:
        components["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
        description["security"] = [{"key": []}]
    for path, operations in description["paths"].items():
        for operation in operations.values():
            operation["responses"].update(shared)
            if path in OPEN_PATHS:
                operation["security"] = []
                operation["responses"].pop("401", None)


def _problem(status: int) -> dict[str, Any]:
    return {
        "description": HTTPStatus(status).phrase,
        "headers": _HEADERS.get(status, {}),
        "content": {MEDIA_TYPE: {"schema": {"$ref": _COMPONENT.format(model=Problem.__name__)}}},
    }
