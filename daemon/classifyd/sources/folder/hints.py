"""What the watcher's threads tell the source's thread, and what wakes that thread."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Noted:
    """Hints since the last look; paths absolute. `folders` tells whether all below is meant."""

    closed: frozenset[str] = frozenset()
    folders: dict[str, bool] = field(default_factory=dict)
    missed: bool = False


class Hints:
    """Drop box of limited size: what does not fit becomes `missed`, which asks for a full scan."""

    def __init__(self, limit: int = 50_000) -> None:
        self._limit = limit
        self._changed = threading.Condition()
        self._closed: set[str] = set()
        self._folders: dict[str, bool] = {}
        self._missed = False
        self._woken = False

    def closed(self, path: str) -> None:
        """A file was closed by its writer, or moved into place."""
        with self._changed:
            if len(self._closed) < self._limit:
                self._closed.add(path)
            else:
                self._missed = True
            self._changed.notify_all()

    def folder(self, path: str, deep: bool = False) -> None:
        """Something happened in a folder; `deep` when it is new, and all below it with it."""
        with self._changed:
            if path in self._folders or len(self._folders) < self._limit:
                self._folders[path] = self._folders.get(path, False) or deep
            else:
                self._missed = True
            self._changed.notify_all()

    def missed(self) -> None:
        """Events were lost."""
        with self._changed:
            self._missed = True
            self._changed.notify_all()

    def wake(self) -> None:
        """The source's thread is to look around."""
        with self._changed:
            self._woken = True
            self._changed.notify_all()

    def take(self) -> Noted:
        """Empties the box."""
        with self._changed:
            noted = Noted(frozenset(self._closed), self._folders, self._missed)
            self._closed.clear()
            self._folders = {}
            self._missed = self._woken = False
        return noted

    def wait(self, seconds: float) -> None:
        """Waits for a hint or `wake`, `seconds` at most."""
        with self._changed:
            self._changed.wait_for(self._anything, seconds)

    def wait_until(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Waits until `wake` comes with the condition true; hints are left in the box."""
        with self._changed:
            return self._changed.wait_for(condition, seconds)

    def _anything(self) -> bool:
        return bool(self._woken or self._missed or self._closed or self._folders)
