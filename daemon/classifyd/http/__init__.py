"""The HTTP API: routes over the pipeline's models and the recorded results, errors as RFC 9457 tells them."""

from classifyd.http.app import create_app
from classifyd.http.config import HttpConfig
from classifyd.http.server import HttpServer

__all__ = ["HttpConfig", "HttpServer", "create_app"]
