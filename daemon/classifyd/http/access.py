"""Who may ask: those who show the key, or where there is none, everybody but foreign web pages."""

import hmac
from http import HTTPStatus

from starlette.types import Scope

from classifyd.http import browsers
from classifyd.http.problems import ProblemError

OPEN_PATHS = frozenset({"/healthz", "/readyz"})


class Access:
    """Who may see what: those who show the key, or where there is none, everybody but foreign web pages."""

    def __init__(self, api_key: str | None, host: str) -> None:
        """`host` is where the daemon listens."""
        self._expected = None if api_key is None else api_key.encode()
        self._local = browsers.listens_locally(host)

    def granted(self, scope: Scope) -> bool:
        """Whether the request shows the key, if there is one; compared in constant time."""
        if self._expected is None:
            return True
        shown = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
        scheme, _, key = shown.partition(b" ")
        return hmac.compare_digest(key.strip(), self._expected) and scheme.lower() == b"bearer"

    def problem(self, scope: Scope) -> ProblemError | None:
        """Why the request is not answered, if it is not."""
        if self._expected is None:
            told = browsers.refusal(scope["method"], dict(scope["headers"]), self._local)
            return None if told is None else ProblemError(HTTPStatus.FORBIDDEN, told)
        if scope["path"] in OPEN_PATHS or self.granted(scope):
            return None
        return ProblemError(
            HTTPStatus.UNAUTHORIZED,
            "This needs the API key (setting http.api_key), as Authorization: Bearer KEY.",
            {"WWW-Authenticate": "Bearer"},
        )
