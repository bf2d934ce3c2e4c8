"""HTTP to a model server: connections that are kept, broken, cut off, encrypted, or go through a proxy."""

import threading
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from classifyd.engines.tfserving.client import ERRORS, HttpClient
from classifyd.engines.tfserving.deadline import deadline
from tests.unit.engines.tfserving.scripted import (
    OK,
    PATIENCE,
    Behaviour,
    Server,
    answering,
    encrypted,
    requests_on,
    tunnelling,
)

MOST = 2**20
Serve = Callable[[Behaviour], Server]
Open = Callable[..., HttpClient]


@pytest.fixture
def opened() -> Iterator[Open]:
    clients: list[HttpClient] = []

    def opened(url: str, proxy: str | None = None, kept: int = 2) -> HttpClient:
        clients.append(HttpClient(url, proxy, kept))
        return clients[-1]

    with deadline(PATIENCE):
        yield opened
    for client in clients:
        client.close()


def basic(credentials: str, encoding: str = "latin-1") -> str:
    return f"Basic {b64encode(credentials.encode(encoding)).decode()}"


def test_it_asks_as_servers_expect(serve: Serve, opened: Open) -> None:
    seen: list[list[str]] = []
    server = serve(answering(OK, OK, seen=seen))
    client = opened(f"{server.url}/behind/here/")
    assert client.get("/v1", MOST).content == b"ok"
    assert client.post("/v1", [b"{", b"}"], MOST).content == b"ok"
    asked, told = seen
    assert asked[0] == "GET /behind/here/v1 HTTP/1.1"
    assert told[0] == "POST /behind/here/v1 HTTP/1.1"
    assert {f"Host: 127.0.0.1:{server.port}", "Accept-Encoding: identity"} < set(asked) & set(told)
    assert {"Content-Type: application/json", "Content-Length: 2"} < set(told) - set(asked)


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("http://localhost", "localhost"),
        ("http://localhost:80", "localhost"),
        ("http://[::1]:8501", "[::1]:8501"),
        ("http://[fe80::1%25eth0]:8501", "[fe80::1]:8501"),
        ("http://user:secret@Model.invalid:8501", "model.invalid:8501"),
        ("http://bücher.invalid", "xn--bcher-kva.invalid"),
    ],
)
def test_the_server_is_named_without_credentials_and_its_schemes_port(
    serve: Serve, opened: Open, url: str, host: str
) -> None:
    seen: list[list[str]] = []
    proxy = serve(answering(OK, seen=seen))
    opened(url, proxy.url).get("/v1", MOST)
    assert seen[0][0] == f"GET http://{host}/v1 HTTP/1.1"
    assert f"Host: {host}" in seen[0]


def test_an_address_of_ipv6_needs_no_lookup(opened: Open) -> None:
    with pytest.raises(ERRORS) as raised:
        opened("http://[::1]:1").get("/", MOST)
    assert "is not known" not in str(raised.value)


@pytest.mark.parametrize(
    ("userinfo", "shown"),
    [
        ("user:secret", basic("user:secret")),
        ("us%40er:se%3Acret%2F", basic("us@er:se:cret/")),
        ("user", basic("user:")),
        ("m%C3%BCller:x", basic("müller:x")),
        ("user:%E2%82%AC", basic("user:€", "utf-8")),
    ],
)
def test_credentials_of_the_address_are_shown(serve: Serve, opened: Open, userinfo: str, shown: str) -> None:
    seen: list[list[str]] = []
    server = serve(answering(OK, seen=seen))
    opened(server.url.replace("://", f"://{userinfo}@")).get("/", MOST)
    assert f"Authorization: {shown}" in seen[0]


def test_a_proxy_is_shown_its_own_credentials(serve: Serve, opened: Open) -> None:
    seen: list[list[str]] = []
    proxy = serve(answering(OK, seen=seen))
    client = opened("http://user:secret@model.invalid/behind", proxy.url.replace("://", "://me:word@"))
    assert client.get("/v1", MOST).content == b"ok"
    assert seen[0][0] == "GET http://model.invalid/behind/v1 HTTP/1.1"
    assert f"Proxy-Authorization: {basic('me:word')}" in seen[0]
    assert f"Authorization: {basic('user:secret')}" in seen[0]


@pytest.mark.parametrize("is_encrypted", [False, True], ids=["http proxy", "https proxy"])
def test_an_encrypted_server_is_reached_through_a_tunnel(
    serve: Serve, opened: Open, trusted: Path, is_encrypted: bool
) -> None:
    inside: list[list[str]] = []
    outside: list[list[str]] = []
    server = serve(encrypted(trusted, answering(OK, OK, seen=inside)))
    tunnel = tunnelling(outside)
    proxy = serve(encrypted(trusted, tunnel) if is_encrypted else tunnel)
    scheme = "https" if is_encrypted else "http"
    client = opened(
        f"https://user:secret@127.0.0.1:{server.port}", f"{scheme}://me:word@127.0.0.1:{proxy.port}"
    )
    for _ in range(2):
        assert client.get("/v1", MOST).content == b"ok"
    client.close()
    [asked] = outside
    assert asked[0].startswith(f"CONNECT 127.0.0.1:{server.port} ")
    assert f"Proxy-Authorization: {basic('me:word')}" in asked
    assert not any(line.startswith("Authorization") for line in asked)
    assert [head[0] for head in inside] == ["GET /v1 HTTP/1.1"] * 2
    assert f"Authorization: {basic('user:secret')}" in inside[0]
    assert not any(line.startswith("Proxy") for line in inside[0])


def test_an_encrypted_proxy_passes_requests_on(serve: Serve, opened: Open, trusted: Path) -> None:
    seen: list[list[str]] = []
    proxy = serve(encrypted(trusted, answering(OK, seen=seen)))
    client = opened("http://model.invalid", f"https://127.0.0.1:{proxy.port}")
    assert client.get("/v1", MOST).content == b"ok"
    assert seen[0][0] == "GET http://model.invalid/v1 HTTP/1.1"


def test_a_proxy_that_refuses_is_told_of(serve: Serve, opened: Open) -> None:
    proxy = serve(answering(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n"))
    with pytest.raises(ERRORS, match="407"):
        opened("https://model.invalid", proxy.url).get("/", MOST)


def test_a_certificate_that_nobody_trusts_is_refused(serve: Serve, opened: Open, certificate: Path) -> None:
    seen: list[list[str]] = []
    server = serve(encrypted(certificate, answering(OK, seen=seen)))
    with pytest.raises(ERRORS, match="certificate verify failed"):
        opened(f"https://user:secret@127.0.0.1:{server.port}").get("/", MOST)
    assert not seen


def test_a_certificate_of_another_host_is_refused(serve: Serve, opened: Open, trusted: Path) -> None:
    server = serve(encrypted(trusted, answering(OK)))
    with pytest.raises(ERRORS, match="certificate verify failed"):
        opened(f"https://localhost:{server.port}").get("/", MOST)


@pytest.mark.parametrize(
    ("answer", "is_kept"),
    [
        (OK, True),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n1\r\nk\r\n0\r\n\r\n", True),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + OK, True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok", False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", False),
    ],
    ids=["length", "chunks", "continue", "close", "1.0"],
)
def test_a_connection_is_kept_where_the_server_keeps_it(
    serve: Serve, opened: Open, answer: bytes, is_kept: bool
) -> None:
    server = serve(answering(answer, answer, answer))
    client = opened(server.url)
    for _ in range(3):
        assert client.get("/", MOST).content == b"ok"
    assert server.accepted == (1 if is_kept else 3)


def test_the_answer_to_one_call_is_not_taken_for_the_next_ones(serve: Serve, opened: Open) -> None:
    late = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfirst"

    def behave(connection) -> None:
        if server.accepted == 1:
            answering(b"HTTP/1.1 103 Early Hints\r\n\r\n", late)(connection)
        else:
            answering(OK)(connection)

    server = serve(behave)
    client = opened(server.url)
    assert client.get("/first", MOST).status == 103
    assert client.get("/second", MOST).content == b"ok"


def test_what_is_answered_before_it_was_sent_whole_is_read(serve: Serve, opened: Open) -> None:
    def behave(connection) -> None:
        connection.recv(1024)
        connection.sendall(b"HTTP/1.1 413 Payload Too Large\r\nContent-Length: 2\r\n\r\nno")

    server = serve(behave)
    client = opened(server.url)
    for call in (1, 2):
        assert client.post("/", [bytes(8 * MOST)], MOST).status == 413
        assert server.accepted == call


def test_an_answer_may_end_with_its_connection(serve: Serve, opened: Open) -> None:
    server = serve(answering(b"HTTP/1.1 200 OK\r\n\r\nok"))
    client = opened(server.url)
    for _ in range(2):
        assert client.get("/", MOST).content == b"ok"


def test_no_more_connections_are_kept_than_wanted(serve: Serve, opened: Open) -> None:
    server = serve(answering(OK, OK))
    client = opened(server.url, kept=0)
    for _ in range(2):
        assert client.get("/", MOST).content == b"ok"
    assert server.accepted == 2


def test_a_connection_on_which_the_server_speaks_unasked_is_given_up(serve: Serve, opened: Open) -> None:
    answered, spoken = threading.Event(), threading.Event()

    def behave(connection) -> None:
        answering(OK)(connection)
        answered.wait(PATIENCE)
        connection.sendall(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 2\r\n\r\nno")
        spoken.set()
        server.stopping.wait(PATIENCE)

    server = serve(behave)
    client = opened(server.url)
    assert client.get("/", MOST).content == b"ok"
    answered.set()
    spoken.wait(PATIENCE)
    assert client.get("/", MOST).status == 200
    assert server.accepted == 2


def test_what_ends_before_its_answer_is_asked_once_more(serve: Serve, opened: Open) -> None:
    def behave(connection) -> None:
        if server.accepted != 1:
            answering(OK)(connection)
        else:
            requests_on(connection)

    server = serve(behave)
    assert opened(server.url).post("/", [b"x"], MOST).content == b"ok"
    assert server.accepted == 2


def test_what_ends_before_its_answer_again_is_given_up(serve: Serve, opened: Open) -> None:
    server = serve(lambda connection: requests_on(connection) and None)
    with pytest.raises(ERRORS, match="without response"):
        opened(server.url).post("/", [b"x"], MOST)
    assert server.accepted == 2


def test_of_two_failures_the_second_is_told(serve: Serve, opened: Open) -> None:
    """What is under an error is told of it: the end of a kept connection says nothing beside the reason why
    there is no other."""
    gone = threading.Event()

    def behave(connection) -> None:
        requests_on(connection)
        server.refuse()
        gone.set()

    server = serve(behave)
    with pytest.raises(ERRORS, match="refused") as raised:
        opened(server.url).get("/", MOST)
    assert gone.is_set()
    chain, error = [], raised.value
    while error is not None:
        chain.append(type(error))
        error = error.__cause__ or error.__context__
    assert chain[-1] is ConnectionRefusedError


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nok",
    ],
)
def test_an_answer_that_is_cut_off_is_none_and_not_asked_for_again(
    serve: Serve, opened: Open, answer: bytes
) -> None:
    server = serve(answering(answer))
    with pytest.raises(ERRORS, match="IncompleteRead"):
        opened(server.url).get("/", MOST)
    assert server.accepted == 1


def test_of_an_answer_that_is_too_long_one_byte_more_is_read(serve: Serve, opened: Open) -> None:
    server = serve(answering(OK, OK))
    client = opened(server.url)
    assert client.get("/", 1).content == b"ok"
    assert client.get("/", 0).content == b"o"
    assert client.get("/", 0).content == b"o"
    assert server.accepted == 2


def test_what_is_no_http_is_no_answer(serve: Serve, opened: Open) -> None:
    server = serve(answering(b"220 mail.invalid ESMTP\r\n"))
    with pytest.raises(ERRORS, match="220 mail"):
        opened(server.url).get("/", MOST)
