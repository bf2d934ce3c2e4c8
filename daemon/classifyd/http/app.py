"""The application: all routes over what the pipeline offers."""

from collections.abc import Callable, Mapping
from datetime import datetime

from fastapi import FastAPI
from fastapi_offline import FastAPIOffline

import classifyd
from classifyd.core.gate import Limits
from classifyd.core.ports import Health, Model, Results
from classifyd.http import openapi, problems
from classifyd.http.access import Access
from classifyd.http.classify import Classify, add_classify_routes
from classifyd.http.config import HttpConfig
from classifyd.http.front import Front
from classifyd.http.health import add_health_routes
from classifyd.http.results import add_results_routes


def create_app(
    models: Mapping[str, Model],
    results: Results,
    health: Health,
    config: HttpConfig,
    limits: Limits,
    clock: Callable[[], datetime],
    new_id: Callable[[], str],
) -> Front:
    """Makes the ASGI application.

    `models` are by name, in the order in which they are listed; `clock` tells the time, aware, and `new_id`
    makes ULIDs. The application has no state of its own. /docs takes its scripts from this package's
    dependencies, not from the internet.
    """
    app: FastAPI = FastAPIOffline(
        title="classifyd",
        version=classifyd.__version__,
        description="Classifies JPEGs, and shows what was classified.",
        redoc_url=None,
        static_url="/docs/assets",
        swagger_ui_oauth2_redirect_url="/docs/oauth2-redirect",
    )
    access = Access(config.api_key, config.host)
    problems.install(app)
    add_classify_routes(app, models)
    add_results_routes(app, results)
    add_health_routes(app, health, access)
    openapi.complete(app, with_key=config.api_key is not None)
    return Front(app, Classify(models, config, limits, clock, new_id), access)
