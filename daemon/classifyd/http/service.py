"""The HTTP service of a daemon, from its settings."""

from classifyd.bootstrap import Interior
from classifyd.http.app import create_app
from classifyd.http.config import HttpConfig
from classifyd.http.server import HttpServer
from classifyd.settings import Settings


def make_service(settings: Settings, interior: Interior) -> HttpServer:
    """Takes the port. Raises ConfigurationError when it is taken already."""
    http = settings.http
    config = HttpConfig(
        host=http.host,
        port=http.port,
        record=http.record,
        publish=http.publish,
        deadline=http.deadline,
        client_timeout=http.client_timeout,
        max_connections=http.max_connections,
        api_key=http.api_key.get_secret_value() if http.api_key is not None else None,
    )
    app = create_app(
        models=interior.models,
        results=interior.results,
        health=interior.health,
        config=config,
        limits=interior.limits,
        clock=interior.clock,
        new_id=interior.new_id,
    )
    return HttpServer(app, config, settings.stop_timeout)
