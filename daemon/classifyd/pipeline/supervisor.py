"""Owns the threads: starts each service in one, notices how each ends, and waits for them."""

import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from queue import Empty, SimpleQueue

from classifyd.core.ports import Service


@dataclass(frozen=True, slots=True)
class Death:
    """A service that ended by an exception."""

    service: str
    error: BaseException


class Supervisor:
    """Runs services. `wait` ends when one has died, when all that were awaited have ended, or on `ask`."""

    def __init__(self) -> None:
        # A simple queue may be put to from a signal handler, whatever the main thread is doing just then.
        self._news: SimpleQueue[None] = SimpleQueue()
        self._threads: dict[str, threading.Thread] = {}
        self._ended: set[str] = set()
        self.asked: str | None = None
        self.death: Death | None = None

    def start(self, services: Iterable[Service]) -> None:
        """Starts each service in a thread of its name."""
        for service in services:
            thread = threading.Thread(target=self._run, args=(service,), name=service.name, daemon=True)
            self._threads[service.name] = thread
            thread.start()

    def ask(self, reason: str) -> None:
        """Asks for the end. Never blocks; may be called by a signal handler."""
        self.asked = self.asked or reason
        self._news.put(None)

    def wait(self, awaited: Iterable[str], timeout: float) -> bool:
        """Waits `timeout` seconds at most; True when it is time to stop: a service died, the end was asked
        for, or all the awaited services (if any) have ended."""
        names = set(awaited)
        deadline = time.monotonic() + timeout
        while not (self.death or self.asked or (names and names <= self._ended)):
            try:
                self._news.get(timeout=max(0.0, deadline - time.monotonic()))
            except Empty:
                return False
        return True

    def join(self, services: Iterable[Service], deadline: float) -> bool:
        """Waits until these have ended, up to `deadline` (monotonic); False when one has not."""
        ended = True
        for service in services:
            thread = self._threads.get(service.name)
            if thread is not None:
                thread.join(max(0.0, deadline - time.monotonic()))
                ended = ended and not thread.is_alive()
        return ended

    def _run(self, service: Service) -> None:
        death = None
        try:
            service.run()
        except BaseException as error:  # noqa: BLE001 - whatever ends a part ends the daemon, with its reason
            death = Death(service.name, error)
        self.death = self.death or death
        self._ended.add(service.name)
        self._news.put(None)
