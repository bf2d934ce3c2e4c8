"""Connections within their bounds, on a real port in this process; `tests/faults` tries a real daemon."""

import socket
import threading
from contextlib import ExitStack, suppress

import httpx
import pytest

from classifyd.http import HttpConfig
from classifyd.http.connections import MOST_AHEAD
from classifyd.http.server import _most_connections
from tests.unit.http.fakes import World, answered, jpeg
from tests.unit.http.test_server import serving

CLASSIFY = (
    b"POST /classify/resnet HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(jpeg()) + jpeg()
)


def connect(server):
    host, port = server.url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=20)


def is_cut_off(connection):
    try:
        return connection.recv(10) == b""
    except ConnectionResetError:
        return True


def test_a_client_that_says_nothing_is_cut_off():
    with serving(World(), client_timeout=0.1) as server, connect(server) as silent:
        assert is_cut_off(silent)


def test_the_longest_idle_client_makes_room():
    with serving(World(), max_connections=2) as server, ExitStack() as stack:
        first, second = (stack.enter_context(connect(server)) for _ in range(2))
        assert httpx.get(f"{server.url}/healthz").status_code == 200
        assert is_cut_off(first)
        second.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert second.recv(1000).startswith(b"HTTP/1.1 200 ")


def test_what_is_no_http_is_answered_with_a_problem():
    with serving(World()) as server, connect(server) as other:
        other.sendall(b"\x16\x03\x01\r\n\r\n")
        answer = other.recv(1000)
        assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
        assert b"application/problem+json" in answer


@pytest.mark.parametrize(("files", "most"), [(1024, 512), (256, 128), (1, 1), (-1, 512), (10**6, 512)])
def test_half_of_the_open_files_are_left_to_others(monkeypatch, files, most):
    monkeypatch.setattr("resource.getrlimit", lambda _which: (files, files))
    assert _most_connections(HttpConfig().max_connections) == most


def test_requests_sent_before_their_answers_are_all_answered_before_the_client_owes_anything():
    request = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with serving(World(), client_timeout=0.5) as server, connect(server) as connection:
        connection.sendall(request * 50)
        with connection.makefile("rb") as answers:
            assert answers.read().count(b'{"alive":true}') == 50


def test_who_sends_more_requests_ahead_than_may_wait_gets_the_answers_to_those_that_may():
    request = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with serving(World()) as server, connect(server) as connection:
        connection.sendall(request * 1000)
        with connection.makefile("rb") as answers:
            assert MOST_AHEAD <= answers.read().count(b'{"alive":true}') <= 1000


@pytest.mark.parametrize(
    "head",
    [
        b"GET /healthz HTTP/1.1\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: a\r\nhost: b\r\n",
        b"GET /healthz HTTP/2.0\r\nHost: localhost\r\n",
        b"POST /healthz HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip, chunked\r\n",
        b"POST /healthz HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n" + b"X: %b\r\n" % (b"x" * 70_000),
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n" + b"x:\r\n" * 5_000,
        b"GET /%b HTTP/1.1\r\nHost: localhost\r\n" % (b"x" * 70_000),
        b"CONNECT localhost:80 HTTP/1.1\r\nHost: localhost\r\n",
    ],
    ids=[
        "no host",
        "two hosts",
        "another version",
        "codings",
        "two lengths",
        "long header",
        "many headers",
        "long target",
        "tunnel",
    ],
)
def test_what_the_parser_lets_pass_and_http_does_not_is_refused(head):
    with serving(World()) as server, connect(server) as connection:
        connection.sendall(head + b"\r\n")
        with connection.makefile("rb") as answers:
            assert answers.readline() == b"HTTP/1.1 400 Bad Request\r\n"


def test_trailers_are_no_headers_and_not_kept():
    head = b"POST /healthz HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"
    with serving(World()) as server, connect(server) as connection:
        connection.sendall(head)
        with connection.makefile("rb") as answers:
            assert answers.readline().startswith(b"HTTP/1.1 405 ")
        with suppress(ConnectionError):
            while True:  # until it is cut off
                connection.sendall(b"X: x\r\n" * 10_000)


@pytest.mark.parametrize("in_two", [False, True], ids=["in one piece", "in two"])
@pytest.mark.parametrize("wish", ["h2c", "websocket"])
def test_who_would_like_another_protocol_is_answered_in_this_one(wish, in_two):
    head = f"POST /classify/resnet HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: {wish}\r\n"
    head = head.encode() + b"Content-Length: %d\r\n\r\n" % len(jpeg())
    rest = jpeg() + b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    world = World()
    with serving(world, client_timeout=0.5) as server, connect(server) as connection:
        if in_two:
            connection.sendall(head)
            assert world.inlet.any_reserved()
            connection.sendall(rest)
        else:
            connection.sendall(head + rest)
        with connection.makefile("rb") as answers:
            answer = answers.read()
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b'{"classes": 1}' in answer
    assert answer.endswith(b'{"alive":true}')


def test_who_leaves_more_than_one_request_behind_is_no_failure(caplog):
    offered = threading.Event()
    world = World(settlement=lambda _delivery: offered.set())
    with serving(world) as server:
        with connect(server) as connection:
            connection.sendall(CLASSIFY + b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert offered.wait(10)
        assert httpx.get(f"{server.url}/healthz").status_code == 200  # by now the loop knows
        world.inlet.deliveries[0].settle(answered(world.inlet.deliveries[0]))
    assert not world.inlet.credits
    assert "Exception" not in caplog.text


def test_bodies_sent_ahead_are_not_read_while_others_wait_for_their_turn():
    offered = threading.Semaphore(0)
    world = World(settlement=lambda _delivery: offered.release())
    small = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    head = b"POST /nothing HTTP/1.1\r\nHost: localhost\r\nContent-Length: 200000\r\n\r\n"
    ahead = memoryview((head + bytes(200_000)) * 200)

    def send(sent):
        with suppress(TimeoutError):
            while sent < len(ahead):
                sent += connection.send(ahead[sent : sent + 2**16])
        return sent

    with serving(world, stop_timeout=0) as server, connect(server) as connection:
        connection.settimeout(0.5)
        connection.sendall(CLASSIFY + small * 60 + CLASSIFY)
        assert offered.acquire(timeout=10)
        before = send(0)  # into the system's own buffers
        world.inlet.deliveries[0].settle(answered(world.inlet.deliveries[0]))
        assert offered.acquire(timeout=10)
        assert send(before) - before < 4 * 2**20


@pytest.mark.parametrize(
    "nonsense",
    [
        b"no HTTP at all\r\n\r\n",
        b"POST /nothing HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nno chunk\r\n",
    ],
    ids=["no head", "no chunk"],
)
def test_what_is_no_http_behind_a_request_under_way_does_not_cost_that_its_answer(nonsense):
    offered = threading.Event()
    world = World(settlement=lambda _delivery: offered.set())
    with serving(world) as server, connect(server) as connection:
        connection.sendall(CLASSIFY + nonsense)
        assert offered.wait(10)
        world.inlet.deliveries[0].settle(answered(world.inlet.deliveries[0]))
        with connection.makefile("rb") as answers:
            answer = answers.read()
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"connection: close\r\n" in answer
    assert answer.endswith(b'{"classes": 1}')


def test_an_answer_to_a_request_that_goes_wrong_midway_is_the_only_one():
    with serving(World()) as server, connect(server) as connection:
        connection.sendall(
            b"POST /classify/resnet HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"1\r\nx\r\nno chunk\r\n"
        )
        with connection.makefile("rb") as answers:
            assert answers.read().count(b"HTTP/1.1 ") == 1
