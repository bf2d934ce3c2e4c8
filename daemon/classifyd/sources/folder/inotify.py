"""watchdog's inotify observer, with what it keeps to itself told (Linux only).

Overridden, as read in watchdog 7.1: `InotifyWatchGroup.on_queue_overflow` only logs that events were lost;
`_add_callback` swallows that watches have run out below the root; the daemon's own folder needs no watches;
a path keeps one watch and a watch one path, or folders that are moved and deleted end the thread that reads.

What leaves a folder is not asked for: every claim would be an event, which three threads handle, and
`InotifyMoveEventGrouper` would hold all others back for half a second, to see whether it arrives elsewhere. A
folder that is moved within the inbox is watched under its new path when it arrives there.
"""

import errno
import os
import select
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from watchdog.events import FileSystemEvent
from watchdog.observers.inotify import InotifyFullEmitter, InotifyObserver, InotifyWatchGroup
from watchdog.observers.inotify_c import InotifyConstants, InotifyFD

from classifyd.sources.folder.layout import WORK

GATHERING_MS = 3


@dataclass(frozen=True, slots=True)
class Trouble:
    """Whom to tell: `overflowed` when events were lost, `exhausted` when watches ran out."""

    overflowed: Callable[[], None]
    exhausted: Callable[[], None]


@dataclass(eq=False)
class _WatchGroup(InotifyWatchGroup):  # type: ignore[misc]
    trouble: Trouble | None = None

    def on_queue_overflow(self) -> None:
        super().on_queue_overflow()
        assert self.trouble is not None
        self.trouble.overflowed()

    def _add_all_callbacks(self, path: bytes) -> None:
        self._add_callback(path)
        if not self.is_recursive or path == self._own:
            return
        for root, folders, _ in os.walk(path):
            below = [b"/".join((root, folder)) for folder in folders]
            folders[:] = [folder for folder, full in zip(folders, below, strict=True) if full != self._own]
            for full in below:
                self._add_callback(full)

    @property
    def _own(self) -> bytes:
        return b"/".join((self.path, os.fsencode(WORK)))

    def _add_callback(self, path: bytes) -> None:
        if path == self._own:
            return
        try:
            watch = self._watch(path)
        except OSError as error:
            if path == self.path:
                raise
            if error.errno == errno.ENOSPC:
                assert self.trouble is not None
                self.trouble.exhausted()
            return
        if watch in self._active_callbacks_by_watch:  # by the path that its folder was moved from
            self._remove_watch_internally(watch)
        if (other := self._active_callbacks_by_path.get(path)) is not None:
            self._remove_callbacks([other])  # its folder was moved out: what closes there is not closed here
        self._active_callbacks_by_path[path] = watch
        self._active_callbacks_by_watch[watch] = path

    def _watch(self, path: bytes) -> int:
        """As `InotifyFD.add_callback`, without its warning where the folder is watched already: one that is
        made while its parent is being walked is found by the walk and told by an event."""
        with self._inotify_fd._lock:
            watch = self._inotify_fd._get_or_create_watch(path, self.event_mask)
            watch.callbacks[self._id] = self._callback
            return int(watch.wd)


class _Emitter(InotifyFullEmitter):  # type: ignore[misc]
    def __init__(
        self, *args: Any, event_filter: list[type[FileSystemEvent]] | None, trouble: Trouble, **kwargs: Any
    ) -> None:
        super().__init__(*args, event_filter=event_filter, **kwargs)
        self.name = "folder-watch-events"
        self._trouble = trouble

    def on_thread_start(self) -> None:
        self._inotify = _WatchGroup(
            self._inotify_fd,
            os.fsencode(self.watch.path),
            is_recursive=self.watch.is_recursive,
            event_mask=self.get_event_mask_from_filter() & ~InotifyConstants.IN_MOVED_FROM,
            follow_symlink=False,
            trouble=self._trouble,
        )


class _Gathering:
    """What the thread that reads from the kernel waits with: after the first event it lets others come, so
    that it is not woken by every single file that is dropped. It is told at once to end."""

    def __init__(self, reader: InotifyFD) -> None:
        self._anything = reader._poller
        self._end = select.poll()
        self._end.register(reader._kill_r, select.POLLIN)

    def poll(self) -> list[tuple[int, int]]:
        ready: list[tuple[int, int]] = self._anything.poll()
        self._end.poll(GATHERING_MS)
        return ready


class TellingObserver(InotifyObserver):  # type: ignore[misc]
    """An InotifyObserver that tells a move into place from a mere creation, and its troubles to `trouble`."""

    def __init__(self, trouble: Trouble) -> None:
        super().__init__(generate_full_events=True)
        self.name = "folder-watch"
        self._inotify_fd.name = "folder-watch-kernel"
        self._inotify_fd._poller = _Gathering(self._inotify_fd)
        self._emitter_class = _Emitter
        self._emitter_kwargs["trouble"] = trouble

    @property
    def reading(self) -> bool:
        """Whether the thread that reads from the kernel lives."""
        return bool(self._inotify_fd.is_alive())
