"""The state of every part of the daemon; only changes are told."""

import threading
from collections.abc import Callable, Mapping
from datetime import datetime

from classifyd.core.values import PartState
from classifyd.telemetry import emit
from classifyd.telemetry.pipeline import PartDown, PartUp


class Parts:
    """A registry of parts (`core.ports.Health`). Safe from any thread."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._states: dict[str, PartState] = {}
        self._stopping = False

    def register(self, name: str) -> "RegisteredPart":
        """A new part, down until it says otherwise."""
        with self._lock:
            self._states[name] = PartState(up=False, detail="starting", since=self._clock())
        return RegisteredPart(self, name)

    def parts(self) -> Mapping[str, PartState]:
        with self._lock:
            return dict(self._states)

    @property
    def ready(self) -> bool:
        with self._lock:
            return not self._stopping and all(state.up for state in self._states.values())

    def stopping(self) -> None:
        """The daemon is not ready any more, whatever its parts say."""
        self._stopping = True

    def change(self, name: str, up: bool, detail: str) -> None:
        """Takes a part's word; tells of it when it is up after it was down, or the reverse."""
        with self._lock:
            before = self._states[name]
            if (before.up, before.detail) == (up, detail):
                return
            since = before.since if before.up == up else self._clock()
            self._states[name] = PartState(up=up, detail=detail, since=since)
        starting = before.detail == "starting"
        if up and not before.up:
            emit(PartUp(part=name, detail=detail or None))
        elif not up and (before.up or starting):
            emit(PartDown(part=name, reason=detail))


class RegisteredPart:
    """One part's own end (`core.ports.Part`)."""

    def __init__(self, registry: Parts, name: str) -> None:
        self._registry = registry
        self._name = name

    def up(self, detail: str = "") -> None:
        self._registry.change(self._name, True, detail)

    def down(self, reason: str) -> None:
        self._registry.change(self._name, False, reason)
