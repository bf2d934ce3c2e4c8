"""HTTP to one server, as light as it can be made: `requests` takes several times as long for a call.

urllib3 opens the connections (TLS, proxies), http.client reads the answers. Redirects are not followed, no
cookies are kept, nothing is compressed, and of the environment only the trusted certificates count.
"""

import ssl
from base64 import b64encode
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from http.client import HTTPException, HTTPMessage, HTTPResponse, IncompleteRead
from urllib.parse import unquote

from urllib3.connection import ProxyConfig, port_by_scheme
from urllib3.exceptions import HTTPError
from urllib3.util import Url, parse_url

from classifyd import __version__
from classifyd.engines.tfserving.deadline import Connection, TLSConnection, tls_context

ERRORS = (OSError, HTTPException, HTTPError)
"""What is raised by a call that gets no answer."""
_AnyConnection = Connection | TLSConnection
_GONE = (ConnectionError, ssl.SSLEOFError)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server answered; `content` is cut off after one byte more than was wanted at most."""

    status: int
    reason: str
    headers: HTTPMessage
    content: bytes = field(repr=False)


class HttpClient:
    """Calls to the server at `url`, whose path goes before that of each call. Safe from any thread; calls
    must run inside `deadline()`.

    `proxy` is the address of an HTTP proxy, or None. Credentials in an address are shown to whom it names.
    `kept` connections are kept alive at most; more may be open at once.
    """

    def __init__(self, url: str, proxy: str | None, kept: int) -> None:
        """Raises LocationParseError for an address that is none."""
        self._server = parse_url(url)
        self._proxy = parse_url(proxy) if proxy else None
        self._has_tunnel = self._proxy is not None and self._server.scheme == "https"
        encrypted = "https" in (self._server.scheme, self._proxy and self._proxy.scheme)
        self._tls = tls_context() if encrypted else None
        self._kept = kept
        self._idle: list[_AnyConnection] = []
        self._prefix = (self._server.path or "").rstrip("/")
        fields = {
            "Host": _host(self._server),
            "User-Agent": f"classifyd/{__version__}",
            "Accept": "*/*",
            # Compressing numbers between two machines of one rack costs more than it saves.
            "Accept-Encoding": "identity",
            **_credentials("Authorization", self._server),
        }
        if self._proxy is not None and not self._has_tunnel:
            self._prefix = f"http://{_host(self._server)}{self._prefix}"
            fields |= _credentials("Proxy-Authorization", self._proxy)
        self._fields = "".join(f"{name}: {value}\r\n" for name, value in fields.items())

    def get(self, path: str, most: int) -> Answer:
        """The answer to GET; of its content `most` bytes and one more. Raises one of ERRORS."""
        return self._ask("GET", self._head("GET", path) + b"\r\n", most)

    def post(self, path: str, body: Sequence[bytes], most: int) -> Answer:
        """The same, to POST of JSON, given in pieces."""
        size = sum(map(len, body))
        fields = b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % size
        return self._ask("POST", b"".join((self._head("POST", path), fields, *body)), most)

    def close(self) -> None:
        """Closes the kept connections."""
        with suppress(IndexError):  # all are closed
            while True:
                self._idle.pop().close()

    def _head(self, method: str, path: str) -> bytes:
        return f"{method} {self._prefix}{path} HTTP/1.1\r\n{self._fields}".encode("ascii")

    def _ask(self, method: str, request: bytes, most: int) -> Answer:
        """Begun once more where the connection ends before the answer begins: mostly the server has just
        closed one that was kept alive; and no request changes anything there."""
        connection, response = self._begun(method, request)
        try:
            with response:
                content = response.read(most + 1)
                if response.length and len(content) <= most:
                    raise IncompleteRead(content, response.length)
                # After 1xx the answer itself is still to come, and would be taken for the next call's.
                is_over = response.isclosed() and not response.will_close and response.status >= 200
        except BaseException:
            connection.close()
            raise
        if is_over and len(self._idle) < self._kept:
            self._idle.append(connection)
        else:
            connection.close()
        return Answer(response.status, response.reason, response.headers, content)

    def _begun(self, method: str, request: bytes) -> tuple[_AnyConnection, HTTPResponse]:
        with suppress(*_GONE):  # left before the second call, whose failure is told without the first one's
            return _sent(self._kept_one() or self._opened(), method, request)
        return _sent(self._opened(), method, request)

    def _kept_one(self) -> _AnyConnection | None:
        """One that the server has neither closed nor said anything on, unasked."""
        while self._idle:
            with suppress(IndexError):  # another thread was quicker
                connection = self._idle.pop()
                if connection.is_connected:
                    return connection
                connection.close()
        return None

    def _opened(self) -> _AnyConnection:
        connection = self._new()
        try:
            connection.connect()
        except BaseException:
            connection.close()
            raise
        return connection

    def _new(self) -> _AnyConnection:
        peer = self._proxy or self._server
        host, port = _address(peer)
        if self._tls is None:
            return Connection(host, port)
        config = ProxyConfig(self._tls, False, None, None)
        connection = TLSConnection(host, port, ssl_context=self._tls, proxy_config=config)
        if self._has_tunnel:
            headers = _credentials("Proxy-Authorization", peer)
            connection.set_tunnel(*_address(self._server), headers, peer.scheme or "http")
        return connection


def _sent(connection: _AnyConnection, method: str, request: bytes) -> tuple[_AnyConnection, HTTPResponse]:
    """With the head of the answer, read."""
    response = HTTPResponse(connection.sock, method=method)
    try:
        with suppress(BrokenPipeError, ConnectionResetError):
            connection.sock.sendall(request)
        # A server may answer what is too large before it has come, and close: the answer can be read.
        response.begin()
    except BaseException:
        response.close()
        connection.close()
        raise
    return connection, response


def _address(url: Url) -> tuple[str, int]:
    return (url.host or "").strip("[]"), url.port or port_by_scheme[url.scheme or "http"]


def _host(url: Url) -> str:
    """As it stands in the field Host: a port is named where it is not the scheme's own, a zone of IPv6, which
    says something here alone (RFC 6874), is not."""
    host, port = url.host or "", url.port
    if host.startswith("[") and "%" in host:
        host = host.partition("%")[0] + "]"
    return host if port in (None, port_by_scheme[url.scheme or "http"]) else f"{host}:{port}"


def _credentials(field: str, url: Url) -> dict[str, str]:
    """Those of the address, for Basic authentication (RFC 7617)."""
    if not url.auth:
        return {}
    name, _, password = url.auth.partition(":")
    shown = f"{unquote(name)}:{unquote(password)}"
    try:
        encoded = shown.encode("latin-1")
    except UnicodeEncodeError:
        encoded = shown.encode()
    return {field: f"Basic {b64encode(encoded).decode()}"}
