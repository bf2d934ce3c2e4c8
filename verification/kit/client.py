"""A running daemon as its clients see it."""

import time
from typing import Any

import requests

START_TIMEOUT = 90.0


class Daemon(requests.Session):
    """Asks the daemon at `url`; paths are relative to it. Shows `api_key`, where there is one. Proxies of the
    environment are ignored."""

    def __init__(self, url: str, api_key: str | None = None) -> None:
        super().__init__()
        self.url = url.rstrip("/")
        self.trust_env = False
        if api_key:
            self.headers["Authorization"] = f"Bearer {api_key}"

    def request(self, method: str | bytes, url: str | bytes, *args: Any, **options: Any) -> requests.Response:
        """As `requests.Session.request`, for a path, within a minute unless told otherwise."""
        return super().request(method, f"{self.url}{url!s}", *args, **({"timeout": 60} | options))

    def wait_until_ready(self) -> None:
        """Returns once `/readyz` says so. Raises TimeoutError after `START_TIMEOUT`."""
        end = time.monotonic() + START_TIMEOUT
        told = "nobody listens"
        while time.monotonic() < end:
            try:
                answer = self.get("/readyz")
            except requests.ConnectionError:
                pass
            else:
                if answer.ok:
                    return
                told = answer.text
            time.sleep(0.1)
        raise TimeoutError(f"the daemon at {self.url} is not ready: {told}")
