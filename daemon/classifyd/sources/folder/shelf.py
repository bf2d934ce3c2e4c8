"""Where settled pictures go: the place is chosen before the outcome is committed, and kept free."""

import os
import threading
import time
from pathlib import Path

from classifyd.core.names import encode_path
from classifyd.core.times import utc_text
from classifyd.core.values import Result, Status
from classifyd.sources.folder.claims import Taken
from classifyd.sources.folder.config import FolderConfig

SIDECAR = ".error.json"
NAME_MAX = 255
"""Bytes in a file's name on every usual file system (limits.h)."""
LOOK_HOLDS = 0.1
"""Seconds for which a folder that was found to be no symlink, and under none, is not looked at again."""
DATE = len("2026-01-31")


class Shelf:
    """Chooses places in `done` and `failed`. Safe from any thread."""

    def __init__(self, config: FolderConfig) -> None:
        self._config = config
        self._done, self._failed = str(config.done), str(config.failed)
        self._lock = threading.Lock()
        self._promised: dict[str, str] = {}
        self._holders: dict[str, str] = {}
        self._plain = ""
        self._plain_until = 0.0

    def promise(self, taken: Taken, result: Result) -> str | None:
        """The place of a picture as text, held free for it until `forget`; None where it is deleted.

        A name that is taken gets the result's id before its suffix; so does a folder that is a symlink.
        """
        place = self.place(taken, result)
        return None if place is None else encode_path(place)

    def place(self, taken: Taken, result: Result) -> str | None:
        """As `promise`, as a path."""
        if not taken.claimed:
            return taken.path
        home = self._home(result)
        if home is None:
            return None
        place = f"{home}/{taken.relative}"
        if (link := self._link_above(place)) is not None:
            place = str(_under_another_name(Path(link), Path(place), result.id))
            self._hold(taken, place)
        elif not self._hold(taken, place) or self._taken(place, result):
            place = str(beside(Path(place), result.id))
            self._hold(taken, place)
        return place

    def forget(self, taken: Taken) -> None:
        """The picture is moved, or is not going to be now."""
        with self._lock:
            self._forget(taken.key)

    def _hold(self, taken: Taken, place: str) -> bool:
        """Holds a place for a picture, and no other any more; False where another one has it. To be done
        before looking at what lies there: that one may be moved and forgotten meanwhile."""
        with self._lock:
            self._forget(taken.key)
            free = place not in self._holders
            if free:
                self._promised[taken.key] = place
                self._holders[place] = taken.key
        return free

    def _forget(self, key: str) -> None:
        self._holders.pop(self._promised.pop(key, ""), None)

    def _taken(self, place: str, result: Result) -> bool:
        if os.path.lexists(place):
            return True
        return result.status is Status.REJECTED and os.path.lexists(sidecar_of(Path(place)))

    def _link_above(self, place: str) -> str | None:
        """The symlink in `done` or `failed` that a picture would be written through, to who knows where.

        Where there was none just now there is none: the picture is moved later than this look, too."""
        folder = place.rpartition("/")[0]
        if folder == self._plain and time.monotonic() < self._plain_until:
            return None
        topmost, above = None, folder
        while above not in (self._done, self._failed):
            if os.path.islink(above):  # noqa: PTH114 (may raise)
                topmost = above
            above = above.rpartition("/")[0]
        if topmost is None:
            self._plain, self._plain_until = folder, time.monotonic() + LOOK_HOLDS
        return topmost

    def _home(self, result: Result) -> str | None:
        if result.status is Status.REJECTED:
            return self._failed
        if self._config.after == "delete":
            return None
        return f"{self._done}/{utc_text(result.classified_at)[:DATE]}"


def beside(place: Path, token: str) -> Path:
    """Another name for the same picture: with `token` before its suffix, shortened so that it and its
    sidecar fit. Where a file lies in place of a folder above it, that folder is named anew instead."""
    for folder in reversed(place.parents):
        if os.path.lexists(folder) and not os.path.isdir(folder):  # noqa: PTH112 (is_dir may raise)
            return _under_another_name(folder, place, token)
    return place.with_name(_with(place.name, token))


def _under_another_name(folder: Path, place: Path, token: str) -> Path:
    """A place in a folder, with `token` in that folder's name."""
    return folder.with_name(_with(folder.name, token)) / place.relative_to(folder)


def sidecar_of(place: Path) -> Path:
    """Where the reason of a rejection is written."""
    return place.with_name(_cut(place.name, NAME_MAX - len(SIDECAR)) + SIDECAR)


def _with(name: str, token: str) -> str:
    stem, suffix = os.path.splitext(name)  # noqa: PTH122 (the suffix of a dotfile is none)
    if len(os.fsencode(suffix)) > NAME_MAX // 4:
        stem, suffix = name, ""
    tail = f".{token}{suffix}"
    return _cut(stem, NAME_MAX - len(SIDECAR) - len(os.fsencode(tail))) + tail


def _cut(name: str, size: int) -> str:
    """The longest beginning of a name within `size` bytes that does not split a character."""
    while len(os.fsencode(name)) > size:
        name = name[:-1]
    return name
