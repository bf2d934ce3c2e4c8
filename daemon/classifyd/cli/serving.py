"""The HTTP interface as `run` gives it to the daemon."""

from datetime import UTC, datetime

from classifyd.bootstrap import Interior
from classifyd.bootstrap.assembly import new_id
from classifyd.core.gate import Limits
from classifyd.core.ports import Service
from classifyd.http import HttpConfig, HttpServer, create_app
from classifyd.settings import Settings


class Serving:
    """Makes the HTTP service over a daemon's interior; `url` is where it listens, from then on."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.url: str | None = None

    def __call__(self, interior: Interior) -> Service:
        http, limits = self._settings.http, self._settings.limits
        app = create_app(
            models=interior.models,
            results=interior.results,
            health=interior.health,
            config=HttpConfig(
                host=http.host,
                port=http.port,
                record=http.record,
                publish=http.publish,
                deadline=http.deadline,
                api_key=http.api_key.get_secret_value() if http.api_key else None,
            ),
            limits=Limits(limits.max_bytes, limits.max_pixels, limits.max_scans),
            clock=lambda: datetime.now(UTC),
            new_id=new_id,
        )
        server = HttpServer(app, http.host, http.port, self._settings.stop_timeout)
        self.url = server.url
        return server
