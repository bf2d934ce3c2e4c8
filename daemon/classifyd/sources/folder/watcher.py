"""Watching an inbox with the operating system's own events. They are hints; the scan is the truth."""

import errno
import os
import sys
from pathlib import Path
from typing import Any

from watchdog.events import (
    DirCreatedEvent,
    DirMovedEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileModifiedEvent,
    FileMovedEvent,
    FileSystemEvent,
)
from watchdog.observers import Observer

from classifyd.sources.folder.hints import Hints
from classifyd.sources.folder.layout import WORK

EXHAUSTED = "inotify watches have run out: raise fs.inotify.max_user_watches"


class WatchesExhausted(Exception):
    """The kernel gives no more watches."""


class Watcher:
    """Drops hints while it lives. Made for a folder that exists.

    Raises WatchesExhausted, or OSError where the folder cannot be watched.
    """

    def __init__(self, folder: Path, recursive: bool, hints: Hints) -> None:
        # inotify would watch a link instead of what it points to, and FSEvents tells real paths.
        self._folder = str(folder)
        self._real = os.path.realpath(folder)
        self._work = f"{self._real}/{WORK}/"
        self._hints = hints
        self._reason: str | None = None
        self._observer = self._make_observer()
        try:
            self._observer.schedule(self, self._real, recursive=recursive, event_filter=_wanted())
            self._observer.start()
        except OSError as error:
            self.close()
            if error.errno in {errno.ENOSPC, errno.EMFILE}:
                raise WatchesExhausted(f"{EXHAUSTED} ({error.strerror})") from error
            raise
        if self._reason:
            self.close()
            raise WatchesExhausted(self._reason)

    @property
    def broken(self) -> str | None:
        """Why it drops no (or not all) hints any more, or None."""
        if self._reason:
            return self._reason
        threads = [self._observer, *self._observer.emitters]
        alive = all(thread.is_alive() for thread in threads) and getattr(self._observer, "reading", True)
        return None if alive and len(threads) > 1 else "the watcher has ended"

    @property
    def exhausted(self) -> bool:
        """Whether it is broken because watches have run out."""
        return self._reason is not None

    def close(self) -> None:
        """Ends its threads."""
        self._observer.stop()
        if self._observer.ident is not None:
            self._observer.join()

    def dispatch(self, event: FileSystemEvent) -> None:
        """watchdog's handler interface. An exception here would end the observer: there is none to raise."""
        path = os.fsdecode(event.dest_path or event.src_path)
        if path.startswith(self._work):
            return
        if not path.startswith(self._real):  # macOS may spell the path in other code points
            self._hints.folder(self._folder, deep=True)
            return
        if event.is_directory:
            self._hints.folder(self._named(path), deep=True)
            return
        if isinstance(event, FileClosedEvent | FileMovedEvent):
            self._hints.closed(self._named(path))
        self._hints.folder(self._named(path.rpartition("/")[0]))

    def _named(self, path: str) -> str:
        return self._folder + path[len(self._real) :]

    def _make_observer(self) -> Any:
        if sys.platform != "linux":
            return Observer()
        from classifyd.sources.folder.inotify import TellingObserver, Trouble

        try:
            return TellingObserver(Trouble(self._hints.missed, self._exhausted))
        except OSError as error:
            if error.errno == errno.EMFILE:
                raise WatchesExhausted(
                    "inotify instances have run out: raise fs.inotify.max_user_instances"
                ) from error
            raise

    def _exhausted(self) -> None:
        self._reason = EXHAUSTED
        self._hints.wake()


def _wanted() -> list[type[FileSystemEvent]]:
    wanted: list[type[FileSystemEvent]] = [
        FileClosedEvent,
        FileMovedEvent,
        FileCreatedEvent,
        DirCreatedEvent,
        DirMovedEvent,
    ]
    if sys.platform != "linux":  # nothing else tells that a file is written to there
        wanted.append(FileModifiedEvent)
    return wanted
