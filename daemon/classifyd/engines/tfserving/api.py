"""The REST protocol of TensorFlow Serving: what is asked, and what each kind of answer means.

https://www.tensorflow.org/tfx/serving/api_rest; the codes are those of `http_rest_api_handler.cc`.

Only two answers may concern a picture: 400 and 500 in the server's own form, `{"error": "..."}`. Everything
else (no answer, a time-out, overload, a proxy's page, a wrong address) is an outage, whatever the picture.
"""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlsplit

import orjson
import requests
from urllib3.exceptions import HTTPError

from classifyd.core.errors import ConfigurationError, Failed, Oversized, Refused, Unavailable
from classifyd.engines.tfserving.deadline import DeadlineAdapter

_CONNECTIONS = 16  # kept alive; more may be open at once
_REFUSED = 400
_TOO_LARGE = 413  # a proxy's word
_FAILED = {500, 501}
_LONGEST_REASON = 300
_LONGEST_ANSWER = 128 * 2**20


class NotLoaded(Unavailable):
    """This version is not served (any more, or yet)."""


class ServingApi:
    """One model at a TensorFlow Serving. Safe from any thread; calls must run inside `deadline()`.

    `url` is the server's address, as in `http://127.0.0.1:8501`; `proxy` the address of an HTTP proxy, or
    None for a direct connection whatever the environment says. `server` is the address without credentials,
    for messages. Raises ConfigurationError for an `url` that
    is none.
    """

    def __init__(self, url: str, model: str, proxy: str | None) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigurationError(
                f"model {model}: url {url!r} is no server's address; write http://HOST:PORT (REST, not gRPC)"
            )
        self.server = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
        self._model = f"{url.rstrip('/').removesuffix('/v1')}/v1/models/{quote(model, safe='')}"
        self._session = requests.Session()
        self._session.trust_env = False
        # Compressing numbers between two machines of one rack costs more than it saves.
        self._session.headers["Accept-Encoding"] = "identity"
        self._session.proxies = {"http": proxy, "https": proxy} if proxy else {}
        tls = any(address.startswith("https") for address in (url, proxy or ""))
        adapter = DeadlineAdapter(_CONNECTIONS, tls)
        self._session.mount("http://", adapter)
        self._session.mount("https://", adapter)

    def states(self) -> dict[int, str]:
        """The state of each version: START, LOADING, AVAILABLE, UNLOADING, END. Raises Unavailable."""
        answer = self._get(self._model)
        try:
            return {int(entry["version"]): entry["state"] for entry in answer["model_version_status"]}
        except (KeyError, TypeError, ValueError) as error:
            raise self._strange(f"its status is no list of versions ({error!r})") from error

    def metadata(self, version: int) -> Mapping[str, Any]:
        """What the version says of its signatures. Raises Unavailable."""
        return self._get(f"{self._model}/versions/{version}/metadata")

    def predict(self, version: int, body: bytes) -> list[Any]:
        """The predictions for a request in row format, one for each instance that was sent.

        Raises NotLoaded, Unavailable, Refused or Failed.
        """
        answer = self._ask("POST", f"{self._model}/versions/{version}:predict", body)
        rows = answer.get("predictions")
        if not isinstance(rows, list):
            raise self._strange("its answer has no list of predictions")
        return rows

    def close(self) -> None:
        """Closes the kept connections."""
        self._session.close()

    def _get(self, url: str) -> dict[str, Any]:
        try:
            return self._ask("GET", url)
        except (Refused, Failed) as error:  # no picture was sent
            raise Unavailable(str(error)) from error

    def _ask(self, method: str, url: str, body: bytes | None = None) -> dict[str, Any]:
        headers = {"Content-Type": "application/json"} if body is not None else {}
        try:
            with self._session.request(
                method, url, data=body, headers=headers, allow_redirects=False, stream=True
            ) as response:
                content = response.raw.read(_LONGEST_ANSWER + 1)
        except (requests.RequestException, HTTPError, OSError) as error:
            cause = _root(error)
            what = "did not answer in time" if isinstance(cause, TimeoutError) else "cannot be reached"
            raise Unavailable(f"{self.server} {what}: {cause}") from error
        if response.status_code != 200:
            raise self._error(response, content)
        if len(content) > _LONGEST_ANSWER:
            raise self._strange(f"its answer has more than {_LONGEST_ANSWER} bytes")
        answer = _parsed(content)
        if not isinstance(answer, dict):
            raise self._strange("its answer is no JSON object")
        return answer

    def _error(self, response: requests.Response, content: bytes) -> Unavailable | Refused | Failed:
        code = response.status_code
        told = f"{self.server} answered {code}: {_reason(content) or response.reason}"
        if code == _TOO_LARGE:
            return Oversized(f"{told} (a proxy's limit? raise it, or lower max_batch_bytes)")
        if code == _REFUSED and _own_words(content):
            return Refused(told)
        if code in _FAILED and _own_words(content):
            return Failed(told)
        if code == 404:
            return NotLoaded(f"{told} (is the model loaded there, and its name right?)")
        return Unavailable(told, _retry_after(response))

    def _strange(self, what: str) -> Unavailable:
        return Unavailable(f"{self.server} does not answer like TensorFlow Serving: {what}; check `url`")


def _parsed(content: bytes) -> Any:
    """The JSON document, or None. TensorFlow Serving writes bare NaN and Infinity, which orjson refuses."""
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        try:
            return json.loads(content)
        except ValueError:
            return None


def _own_words(content: bytes) -> str | None:
    """The reason of an error in TensorFlow Serving's own form; None for anybody else's page."""
    answer = _parsed(content)
    told = answer.get("error") if isinstance(answer, dict) else None
    return told if isinstance(told, str) else None


def _reason(content: bytes) -> str:
    text = _own_words(content) or content[:_LONGEST_REASON].decode("utf-8", "replace")
    return " ".join(text.split())[:_LONGEST_REASON]


def _retry_after(response: requests.Response) -> float | None:
    """The header's seconds; its other form, a date, is not used by model servers."""
    value = response.headers.get("Retry-After", "")
    return float(value) if value.isdecimal() else None


def _root(error: BaseException) -> BaseException:
    """The error under the layers of requests and urllib3, which chain it or carry it as last argument."""
    carried = error.args[-1] if error.args else None
    under = error.__cause__ or error.__context__ or carried
    return _root(under) if isinstance(under, BaseException) else error
