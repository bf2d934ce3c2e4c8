"""The server itself, on a real port."""

import socket
import threading
from contextlib import contextmanager

import httpx
import pytest

from classifyd.core.errors import ConfigurationError
from classifyd.core.values import Settlement
from classifyd.http import HttpConfig, HttpServer
from tests.unit.http.fakes import World, answered, jpeg


@contextmanager
def serving(world, host="127.0.0.1", stop_timeout=5, **bounds):
    server = HttpServer(world.app, HttpConfig(host=host, port=0, **bounds), stop_timeout)
    thread = threading.Thread(target=server.run, name=server.name)
    thread.start()
    try:
        yield server
    finally:
        server.stop()
        thread.join(20)
        assert not thread.is_alive()


def test_it_serves_until_it_is_stopped():
    world = World()
    with serving(world) as server:
        answers = [
            httpx.post(f"{server.url}/classify/resnet", files={"image": ("a.jpg", jpeg())}).text
            for _ in range(3)
        ]

    assert answers == ['{"classes": 1}'] * 3
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{server.url}/healthz")


def test_a_request_under_way_is_answered_before_it_ends():
    world = World(settlement=lambda _delivery: None)
    offered = threading.Event()
    world.inlet.settlement = lambda _delivery: offered.set()
    texts = []
    with serving(world) as server:
        url = f"{server.url}/classify/resnet"
        client = threading.Thread(target=lambda: texts.append(httpx.post(url, content=jpeg()).text))
        client.start()
        assert offered.wait(10)
        server.stop()
        world.inlet.deliveries[0].settle(answered(world.inlet.deliveries[0]))
        client.join(10)

    assert texts == ['{"classes": 1}']


def test_a_request_that_never_ends_does_not_hold_up_the_stop():
    offered = threading.Event()
    world = World(settlement=lambda _delivery: offered.set())
    with serving(world, stop_timeout=0) as server:
        host, port = server.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=10) as connection:
            connection.sendall(
                b"POST /classify/resnet HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n"
                % len(jpeg())
            )
            connection.sendall(jpeg())
            assert offered.wait(10)
            server.stop()
            assert b"200" not in connection.recv(1000)

    world.inlet.deliveries[0].settle(Settlement.retry("the daemon stopped"))
    assert not world.inlet.credits


def test_a_client_that_asks_first_does_not_send_what_is_refused():
    world = World()
    world.inlet.full = True
    with serving(world) as server:
        host, port = server.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=10) as connection:
            connection.sendall(
                b"POST /classify/resnet HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n"
                b"Expect: 100-continue\r\n\r\n"
            )
            assert connection.recv(1000).startswith(b"HTTP/1.1 429 ")


def test_a_port_that_is_taken_refuses_the_start():
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(ConfigurationError, match=rf"127\.0\.0\.1:{port}.*--http HOST:PORT"):
            HttpServer(World().app, HttpConfig(port=port), 1)


def test_a_host_that_does_not_exist_refuses_the_start():
    with pytest.raises(ConfigurationError, match=r"no-such-host\.invalid"):
        HttpServer(World().app, HttpConfig(host="no-such-host.invalid", port=0), 1)


def test_stopped_before_it_ran_it_does_not_run():
    server = HttpServer(World().app, HttpConfig(port=0), 1)
    url = server.url
    server.stop()
    server.stop()

    server.run()

    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{url}/healthz")
