"""How often kafka-python's I/O threads are woken."""

import selectors
import socket
from types import SimpleNamespace

import pytest
from kafka.coordinator.base import BaseCoordinator
from kafka.net.selector import NetworkSelector

from classifyd.kafka_python import waking


@pytest.fixture
def net():
    one = NetworkSelector(selector=waking.QuietSelector)
    yield one
    one.close()


def test_what_comes_together_wakes_once(net):
    for _ in range(3):
        net.wakeup()
    assert net._wakeup_r.recv(10) == b"\0"


def test_a_thread_that_had_its_turn_is_woken_again(net):
    net.wakeup()
    net.poll(timeout_ms=0)
    net.wakeup()
    assert net._wakeup_r.recv(10) == b"\0"


def test_what_is_left_while_a_thread_wakes_is_done_in_that_turn_and_what_comes_later_wakes_it(
    net, monkeypatch
):
    """Its waking is read after it was left: nothing tells of it any more."""
    process = waking._process_events
    done = []

    def another_thread_is_first(selector, events):
        net.call_soon_threadsafe(lambda: done.append("left"))
        process(selector, events)

    monkeypatch.setattr(waking, "_process_events", another_thread_is_first)
    net.wakeup()
    net.poll(timeout_ms=0)
    assert done == ["left"]
    net.wakeup()
    assert net._wakeup_r.recv(10) == b"\0"


class Mute(socket.socket):
    """Printing it would make system calls."""

    def __repr__(self):
        raise AssertionError("it was printed")


def test_a_socket_that_is_not_registered_is_told_without_printing_it():
    with waking.QuietSelector() as selector, Mute() as unknown, pytest.raises(KeyError):
        selector.get_key(unknown)


def test_a_socket_that_was_closed_is_found_so_that_it_can_be_given_up():
    with waking.QuietSelector() as selector:
        closed = Mute()
        key = selector.register(closed, selectors.EVENT_READ)
        closed.close()
        assert selector.get_key(closed) == key


def test_a_coordinator_that_is_known_is_not_asked_for():
    known = SimpleNamespace(coordinator_unknown=lambda: False)
    assert BaseCoordinator.ensure_coordinator_ready(known, 100)


@pytest.mark.parametrize("found", [True, False])
def test_one_that_is_unknown_is(found):
    net = SimpleNamespace(run=lambda _ask, timeout: found and timeout == 100)
    unknown = SimpleNamespace(coordinator_unknown=lambda: True, _net=net, ensure_coordinator_ready_async=None)
    assert BaseCoordinator.ensure_coordinator_ready(unknown, 100) is found
