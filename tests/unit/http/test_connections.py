"""Connections within their bounds, on a real port in this process; `tests/faults` tries a real daemon."""

import socket
from contextlib import ExitStack

import httpx
import pytest

from classifyd.http import HttpConfig
from classifyd.http.server import _most_connections
from tests.unit.http.fakes import World
from tests.unit.http.test_server import serving


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
