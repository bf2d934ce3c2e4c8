"""Owns the threads: starts each service in one, notices how each ends, and waits for them."""

import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass

from classifyd.core.ports import Service


@dataclass(frozen=True, slots=True)
class Death:
    """A service that ended by an exception."""

    service: str
    error: Exception


class Supervisor:
    """Runs services. `wait` ends when one has died, when all that were awaited have ended, or on `ask`."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._threads: dict[str, threading.Thread] = {}
        self._ended: set[str] = set()
        self._asked: str | None = None
        self.death: Death | None = None

    def start(self, services: Iterable[Service]) -> None:
        """Starts each service in a thread of its name."""
        for service in services:
            thread = threading.Thread(target=self._run, args=(service,), name=service.name, daemon=True)
            self._threads[service.name] = thread
            thread.start()

    def ask(self, reason: str) -> None:
        """Asks for the end. Never blocks."""
        with self._changed:
            self._asked = self._asked or reason
            self._changed.notify_all()

    @property
    def asked(self) -> str | None:
        return self._asked

    def wait(self, awaited: Iterable[str], timeout: float) -> bool:
        """Waits `timeout` seconds at most; True when it is time to stop: a service died, the end was asked
        for, or all the awaited services (if any) have ended."""
        names = set(awaited)
        with self._changed:
            return self._changed.wait_for(
                lambda: bool(self.death or self._asked or (names and names <= self._ended)), timeout
            )

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
        except Exception as error:  # noqa: BLE001 - whatever ends a part ends the daemon, with its reason
            death = Death(service.name, error)
        with self._changed:
            self.death = self.death or death
            self._ended.add(service.name)
            self._changed.notify_all()
