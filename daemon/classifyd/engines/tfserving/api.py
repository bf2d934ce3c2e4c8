"""The REST protocol of TensorFlow Serving: what is asked, and what each kind of answer means.

https://www.tensorflow.org/tfx/serving/api_rest; the codes are those of `http_rest_api_handler.cc`.

Only two answers may concern a picture: 400 and 500 in the server's own form, `{"error": "..."}`. Everything
else (no answer, a time-out, overload, a proxy's page, a wrong address) is an outage, whatever the picture.
"""

import json
from collections.abc import Mapping, Sequence
from http.client import BadStatusLine
from typing import Any
from urllib.parse import quote, urlsplit

import orjson
from urllib3.exceptions import LocationParseError

from classifyd.core.errors import ConfigurationError, Failed, Oversized, Refused, Unavailable
from classifyd.engines.tfserving.client import ERRORS, Answer, HttpClient

_CONNECTIONS = 16  # kept alive; more may be open at once
_REFUSED = 400
_TOO_LARGE = 413  # a proxy's word
_FAILED = {500, 501}
LONGEST_REASON = 300
_LONGEST_SHOWN = 50
LONGEST_ANSWER = 128 * 2**20


class NotLoaded(Unavailable):
    """This version is not served (any more, or yet)."""


class ServingApi:
    """One model at a TensorFlow Serving. Safe from any thread; calls must run inside `deadline()`.

    `url` is the server's address, as in `http://127.0.0.1:8501`; `proxy` the address of an HTTP proxy, or
    None for a direct connection whatever the environment says. `server` is the address without credentials,
    for messages. Raises ConfigurationError for an `url` that is none.
    """

    def __init__(self, url: str, model: str, proxy: str | None) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigurationError(
                f"model {model}: url {url!r} is no server's address; write http://HOST:PORT (REST) or grpc://HOST:PORT"
            )
        self.server = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
        if parts.query or parts.fragment:
            raise ConfigurationError(
                f"model {model}: what follows ? or # in `url` ({self.server}) is not sent: leave it out"
            )
        self._model = f"/v1/models/{quote(model, safe='')}"
        try:
            self._client = HttpClient(url.rstrip("/").removesuffix("/v1"), proxy, _CONNECTIONS)
        except LocationParseError as error:
            raise ConfigurationError(f"model {model}: {self.server}, or its proxy, is no address") from error

    def states(self) -> dict[int, str]:
        """The state of each version: START, LOADING, AVAILABLE, UNLOADING, END. Raises Unavailable."""
        answer = self._get(self._model)
        try:
            return {int(entry["version"]): entry["state"] for entry in answer["model_version_status"]}
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise strange(self.server, f"its status is no list of versions ({error!r})") from error

    def metadata(self, version: int) -> Mapping[str, Any]:
        """What the version says of its signatures. Raises Unavailable."""
        return self._get(f"{self._model}/versions/{version}/metadata")

    def predict(self, version: int, body: Sequence[bytes]) -> list[Any]:
        """The predictions for a request in row format, given in pieces: one for each instance in it.

        Raises NotLoaded, Unavailable, Refused or Failed.
        """
        answer = self._ask(f"{self._model}/versions/{version}:predict", body)
        rows = answer.get("predictions")
        if not isinstance(rows, list):
            raise strange(self.server, "its answer has no list of predictions")
        return rows

    def close(self) -> None:
        """Closes the kept connections."""
        self._client.close()

    def _get(self, path: str) -> dict[str, Any]:
        try:
            return self._ask(path)
        except (Refused, Failed) as error:  # no picture was sent
            raise Unavailable(str(error)) from error

    def _ask(self, path: str, body: Sequence[bytes] | None = None) -> dict[str, Any]:
        try:
            if body is None:
                answer = self._client.get(path, LONGEST_ANSWER)
            else:
                answer = self._client.post(path, body, LONGEST_ANSWER)
        except ERRORS as error:
            cause = _root(error)
            if type(cause) is BadStatusLine:
                said = str(cause)[:_LONGEST_SHOWN]
                raise strange(
                    self.server, f"it speaks no HTTP ({said!r}); gRPC is asked for with grpc://"
                ) from error
            what = "did not answer in time" if isinstance(cause, TimeoutError) else "cannot be reached"
            raise Unavailable(f"{self.server} {what}: {cause}") from error
        if answer.status != 200:
            raise self._error(answer)
        if len(answer.content) > LONGEST_ANSWER:
            raise strange(self.server, f"its answer has more than {LONGEST_ANSWER} bytes")
        document = _parsed(answer.content)
        if not isinstance(document, dict):
            raise strange(self.server, "its answer is no JSON object")
        return document

    def _error(self, answer: Answer) -> Unavailable | Refused | Failed:
        code = answer.status
        told = f"{self.server} answered {code}: {_reason(answer.content) or answer.reason}"
        if code == _TOO_LARGE:
            return Oversized(f"{told} (a proxy's limit? raise it, or lower max_batch_bytes)")
        if code == _REFUSED and _own_words(answer.content):
            return Refused(told)
        if code in _FAILED and _own_words(answer.content):
            return Failed(told)
        if code == 404:
            return NotLoaded(f"{told} (is the model loaded there, and its name right?)")
        return Unavailable(told, _retry_after(answer))


def strange(server: str, what: str) -> Unavailable:
    """What speaks there is no TensorFlow Serving, or not as it is asked, for this reason."""
    return Unavailable(f"{server} does not answer like TensorFlow Serving: {what}; check `url`")


def _parsed(content: bytes) -> Any:
    """The JSON document, or None. TensorFlow Serving writes bare NaN and Infinity, which orjson refuses."""
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        try:
            return json.loads(content)
        except (ValueError, RecursionError):
            return None


def _own_words(content: bytes) -> str | None:
    """The reason of an error in TensorFlow Serving's own form; None for anybody else's page."""
    answer = _parsed(content)
    told = answer.get("error") if isinstance(answer, dict) else None
    return told if isinstance(told, str) else None


def _reason(content: bytes) -> str:
    text = _own_words(content) or content[:LONGEST_REASON].decode("utf-8", "replace")
    return " ".join(text.split())[:LONGEST_REASON]


def _retry_after(answer: Answer) -> float | None:
    """The header's seconds; its other form, a date, is not used by model servers."""
    value = answer.headers.get("Retry-After", "")
    return float(value) if value.isdecimal() else None


def _root(error: BaseException) -> BaseException:
    """The error under the layers of urllib3, which chains it or carries it as last argument."""
    carried = error.args[-1] if error.args else None
    under = error.__cause__ or error.__context__ or carried
    return _root(under) if isinstance(under, BaseException) else error
