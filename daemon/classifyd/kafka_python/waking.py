"""Fewer turns of kafka-python's I/O threads: each makes its caller, and whoever is busy, wait for its own."""

import selectors
from typing import Any

from kafka.coordinator.base import BaseCoordinator
from kafka.net.selector import NetworkSelector

_ask_for_coordinator = BaseCoordinator.ensure_coordinator_ready
_wake = NetworkSelector.wakeup
_process_events = NetworkSelector._process_events


def mend() -> None:
    """Has I/O threads woken once for what came together, and not asked for what is known."""
    NetworkSelector.wakeup = _wake_once
    NetworkSelector._process_events = _process_and_be_woken_again
    BaseCoordinator.ensure_coordinator_ready = _ensure_coordinator_ready


class QuietSelector(selectors.PollSelector):
    """For the few sockets of a client, each of which is registered anew for every answer: poll(2) is told of
    them when it is called. The default selector makes a system call for each change, and four more to print
    a socket that it does not know."""

    def get_key(self, fileobj: Any) -> selectors.SelectorKey:
        """As `selectors.BaseSelector` says."""
        number = fileobj.fileno()
        if number >= 0 and number not in self._fd_to_key:  # type: ignore[attr-defined]
            raise KeyError("not registered")
        return super().get_key(fileobj)


def _wake_once(net: Any) -> None:
    """Wakes a thread that was not told yet. Whoever wakes it has left something for it before: it looks for
    that after it has said that it was told."""
    if not getattr(net, "_told", False):
        net._told = True
        _wake(net)


def _process_and_be_woken_again(net: Any, events: Any) -> None:
    _process_events(net, events)
    net._told = False  # not before: what it was told with would be read, and nothing told again


def _ensure_coordinator_ready(coordinator: Any, timeout_ms: float | None = None) -> bool:
    """The I/O thread is asked at each poll by kafka-python, for what is mostly known."""
    return not coordinator.coordinator_unknown() or _ask_for_coordinator(coordinator, timeout_ms)
