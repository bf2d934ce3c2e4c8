"""Clients that are slow, silent or many: each is cut, and none stands in the way of another."""

import contextlib
import itertools
import resource
import socket
import time

import pytest

from tests.faults.wire import (
    BOUND,
    ask,
    connect,
    head,
    metric,
    read_answer,
    was_closed,
)
from verification.kit.daemon import DaemonProcess
from verification.kit.pictures import jpeg
from verification.kit.process import targets

pytestmark = pytest.mark.timeout(240)

PATIENCE = {"CLASSIFYD_HTTP__CLIENT_TIMEOUT": "1s", "CLASSIFYD_HTTP__DEADLINE": "2s"}
BIGGEST = "/docs/assets/swagger-ui-bundle.js"
FILES = 256
IDLE = 2000
CRUMB = 0.1
"""Seconds between two bytes of who dribbles: far less than any patience."""


@pytest.fixture(scope="module")
def daemon(tmp_path_factory):
    with DaemonProcess(tmp_path_factory.mktemp("slow"), PATIENCE) as running:
        yield running


def dribble(connection: socket.socket, crumbs: bytes) -> bool:
    """Whether the daemon ends the connection within the bound while it gets a byte at a time, for ever."""
    connection.settimeout(CRUMB)
    end = time.monotonic() + BOUND
    for crumb in itertools.cycle(crumbs):
        if time.monotonic() > end:
            return False
        try:
            connection.sendall(bytes([crumb]))
            if not connection.recv(2**16):
                return True
        except TimeoutError:
            continue
        except ConnectionError:
            return True
    raise AssertionError("a cycle does not end")


def slow_ones(daemon: DaemonProcess) -> float:
    return metric(daemon, 'classifyd_http_cut_connections_total{reason="slow"}')


@pytest.mark.parametrize(
    ("begun", "crumbs"),
    [
        (b"", b""),
        (b"GET /results HTTP/1.1\r\n", b""),
        (b"", b"GET /results HTTP/1.1\r\nX: " + b"x" * 10_000),
        (head("GET", "/healthz"), b"GET /results HTTP/1.1\r\nX: " + b"x" * 10_000),
        (head("GET", "/results", "Content-Length: 1000000000"), b"x"),
        (head("POST", "/nothing", "Content-Length: 1000000000"), b"x"),
        (head("POST", "/classify/resnet", "Content-Length: 1000000"), b"x"),
        (head("POST", "/classify/resnet", "Transfer-Encoding: chunked"), b"1\r\nx\r\n"),
    ],
    ids=[
        "nothing at all",
        "half of a head",
        "a head by crumbs",
        "a second head by crumbs",
        "a body that nobody wants",
        "a body for nobody",
        "an upload by crumbs",
        "chunks by crumbs",
    ],
)
def test_a_client_that_keeps_the_daemon_waiting_is_cut(daemon, begun, crumbs):
    with connect(daemon) as connection:
        connection.sendall(begun)
        assert dribble(connection, crumbs) if crumbs else was_closed(connection)
    assert daemon.get("/healthz") == (200, {"alive": True})


def test_an_upload_by_crumbs_is_told_so_and_gives_back_what_it_holds(daemon):
    with connect(daemon) as connection:
        connection.sendall(head("POST", "/classify/resnet", "Transfer-Encoding: chunked"))
        answer = read_answer(connection)
        assert answer.status == 408
        assert answer.is_problem
        assert was_closed(connection)
    assert metric(daemon, 'classifyd_intake_bytes{lane="interactive",model="resnet"}') == 0


@pytest.mark.parametrize(
    "crumbs", [b"", b"GET /results HTTP/1.1\r\nX: " + b"x" * 10_000], ids=["silent", "asking"]
)
def test_a_client_that_never_takes_its_answer_is_cut(daemon, crumbs):
    before = slow_ones(daemon)
    with connect(daemon, receive_buffer=4096) as connection:
        connection.sendall(head("GET", BIGGEST) * 50)  # far above what the system's own buffers take
        end = time.monotonic() + BOUND
        while slow_ones(daemon) == before:
            assert time.monotonic() < end, "the connection is still open"
            for crumb in crumbs[:1]:
                with contextlib.suppress(ConnectionError):
                    connection.sendall(bytes([crumb]))


def test_a_slow_client_that_keeps_the_pace_gets_its_whole_answer(daemon):
    whole = ask(daemon, head("GET", BIGGEST)).body
    with connect(daemon, receive_buffer=4096) as connection:
        connection.sendall(head("GET", BIGGEST, "Connection: close"))
        taken = bytearray()
        while piece := connection.recv(2**14):
            taken += piece
            time.sleep(2**14 / 2**20)  # 1 MiB/s, for the 1.4 MiB of the answer
    assert bytes(taken).partition(b"\r\n\r\n")[2] == whole


def test_thousands_of_idle_connections_stop_neither_a_good_client_nor_the_folder(tmp_path):
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    daemon = DaemonProcess(tmp_path, within=["prlimit", f"--nofile={FILES}:{FILES}"])
    with daemon, contextlib.ExitStack() as idle:
        most = 0
        for number in range(min(IDLE, soft - 200)):
            idle.enter_context(connect(daemon))
            if number % 100 == 0:
                most = max(most, len(targets(daemon.pid)))
                assert daemon.get("/healthz") == (200, {"alive": True})
        assert most < FILES - 10

        picture = jpeg("red")
        for number in range(5):
            request = head("POST", "/classify/resnet", f"Content-Length: {len(picture)}") + picture
            assert ask(daemon, request).status == 200
            (daemon.inbox / f"{number}.jpg").write_bytes(picture)
        daemon.wait_until(lambda: daemon.count() == 10, BOUND, "done with both sources")
        assert metric(daemon, 'classifyd_http_cut_connections_total{reason="crowded"}') > 0
        assert "Too many open files" not in daemon.log.read_text()
        assert daemon.stop() == 0


def test_who_comes_while_every_connection_is_at_work_is_told_to_come_again(tmp_path):
    settings = {"CLASSIFYD_HTTP__MAX_CONNECTIONS": "3", "CLASSIFYD_HTTP__DEADLINE": "3s"}
    with DaemonProcess(tmp_path, settings) as daemon, contextlib.ExitStack() as uploads:
        for _ in range(3):
            upload = uploads.enter_context(connect(daemon))
            upload.sendall(head("POST", "/classify/resnet", "Content-Length: 1000", "Expect: 100-continue"))
            assert upload.recv(1000).startswith(b"HTTP/1.1 100 ")
        with connect(daemon) as late:
            answer = read_answer(late)
            assert answer.status == 503
            assert answer.is_problem
            assert int(answer.headers["retry-after"]) > 0
        daemon.wait_until(lambda: daemon.get("/healthz")[0] == 200, BOUND, "free again")


@pytest.mark.parametrize(
    "request_",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(100),
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET /" + b"x" * 100_000 + b" HTTP/1.1\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 100_000,
        b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X: x\r\n" * 20_000,
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX: a\r\n folded\x00\r\n\r\n",
        b"GET /results\nX HTTP/1.1\r\nHost: localhost\r\n\r\n",
        head("POST", "/classify/resnet", "Content-Length: -1"),
        head("POST", "/classify/resnet", "Content-Length: 1e9"),
        head("POST", "/classify/resnet", "Content-Length: " + "9" * 5000),
        head("POST", "/classify/resnet", "Content-Length: 5", "Content-Length: 6"),
        head("POST", "/classify/resnet", "Transfer-Encoding: gzip, chunked"),
        head("POST", "/classify/resnet", "Transfer-Encoding: chunked") + b"zz\r\n",
        head("POST", "/classify/resnet", "Transfer-Encoding: chunked") + b"1;" + b"x" * 1_000_000,
    ],
    ids=range(14),
)
def test_what_is_no_http_is_told_so_and_fills_no_log(daemon, request_):
    lines = daemon.log.read_text().count("\n")
    with connect(daemon) as connection:
        with contextlib.suppress(ConnectionError):
            connection.sendall(request_)
        with contextlib.suppress(ConnectionError):
            answer = read_answer(connection)
            assert answer.status == 400
            assert answer.is_problem
        assert was_closed(connection)
    assert daemon.get("/healthz") == (200, {"alive": True})
    assert daemon.log.read_text().count("\n") == lines


def test_garbage_after_an_answer_ends_the_connection_without_a_word(daemon):
    lines = daemon.log.read_text().count("\n")
    with connect(daemon) as connection:
        connection.sendall(head("POST", "/nothing", "Transfer-Encoding: chunked") + b"1\r\nx\r\n")
        assert read_answer(connection).status == 404
        connection.sendall(b"no chunk\r\n")
        assert was_closed(connection)
    assert daemon.log.read_text().count("\n") == lines


def test_an_upgrade_is_not_made(daemon):
    upgrade = head("GET", "/healthz", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: x")
    lines = daemon.log.read_text().count("\n")
    assert ask(daemon, upgrade).status == 200
    assert daemon.log.read_text().count("\n") == lines


@pytest.mark.parametrize(
    ("method", "path", "lines", "status"),
    [
        ("POST", "/classify/resnet", ["Origin: http://evil.example"], 403),
        ("POST", "/classify/resnet", ["Origin: null"], 403),
        ("POST", "/classify/resnet", ["Sec-Fetch-Site: cross-site"], 403),
        ("POST", "/classify/resnet", ["Sec-Fetch-Site: same-site", "Origin: http://localhost:1"], 403),
        ("POST", "/classify/resnet", ["Origin: http://localhost"], 400),
        ("POST", "/classify/resnet", ["Sec-Fetch-Site: same-origin", "Origin: http://localhost"], 400),
        ("POST", "/classify/resnet", [], 400),
        ("GET", "/results", ["Sec-Fetch-Site: none"], 200),
    ],
)
def test_a_web_page_of_another_origin_makes_its_browser_do_nothing(daemon, method, path, lines, status):
    answer = ask(daemon, head(method, path, "Content-Length: 0", *lines))
    assert answer.status == status
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("rebound.evil.example", 403),
        ("localhost.evil.example:5000", 403),
        ("127.0.0.1.evil.example", 403),
        ("localhost", 200),
        ("LocalHost:8080", 200),
        ("127.0.0.1:5000", 200),
        ("[::1]:5000", 200),
        ("192.0.2.1", 200),
    ],
)
@pytest.mark.parametrize("path", ["/results", "/readyz", "/metrics"])
def test_a_name_that_was_rebound_to_this_machine_reads_nothing(daemon, path, host, status):
    request = f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
    assert ask(daemon, request).status == status
