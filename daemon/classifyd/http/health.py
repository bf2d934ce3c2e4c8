"""`GET /healthz`, `GET /readyz` and `GET /metrics`: for those who watch the daemon."""

from http import HTTPStatus

from fastapi import FastAPI, Request, Response
from prometheus_client import REGISTRY
from prometheus_client.exposition import choose_encoder

from classifyd.core.ports import Health
from classifyd.core.times import utc_text
from classifyd.http.access import Access
from classifyd.http.documents import Alive, PartHealth, Ready
from classifyd.http.openapi import problems
from classifyd.http.problems import ProblemError

_METRICS: dict[int | str, dict[str, object]] = {
    200: {"description": "In the text format", "content": {"text/plain": {"schema": {"type": "string"}}}}
}


def add_health_routes(app: FastAPI, health: Health, access: Access) -> None:
    """Adds the three routes to the application; the parts' details are told to those with access."""

    @app.get("/healthz", summary="Whether the daemon is alive")
    async def healthz() -> Alive:
        return Alive(alive=True)

    @app.get(
        "/readyz",
        response_model_exclude_none=True,
        responses=problems(503),
        summary="Whether every part works",
    )
    async def readyz(request: Request) -> Ready:
        """The parts are told where no API key is set, or the request shows it."""
        parts = _parts(health) if access.granted(request.scope) else None
        if not health.ready:
            raise _not_ready(parts)
        return Ready(ready=True, parts=parts)

    @app.get("/metrics", response_class=Response, responses=_METRICS, summary="For Prometheus")
    def metrics(request: Request) -> Response:
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(REGISTRY), headers={"Content-Type": content_type})


def _parts(health: Health) -> dict[str, PartHealth]:
    return {
        name: PartHealth(up=state.up, detail=state.detail, since=utc_text(state.since))
        for name, state in health.parts().items()
    }


def _not_ready(parts: dict[str, PartHealth] | None) -> ProblemError:
    if parts is None:
        return ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, "Not ready; with the API key this tells why.")
    down = [f"{name}: {part.detail}" for name, part in parts.items() if not part.up]
    return ProblemError(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "; ".join(down) or "The daemon is starting or stopping.",
        parts={name: part.model_dump() for name, part in parts.items()},
    )
