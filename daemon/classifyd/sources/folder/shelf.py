"""Where settled pictures go: the place is chosen before the outcome is committed, and kept free."""

import os
import threading
from datetime import UTC
from pathlib import Path

from classifyd.core.names import encode_path
from classifyd.core.values import Result, Status
from classifyd.sources.folder.claims import Taken
from classifyd.sources.folder.config import FolderConfig

SIDECAR = ".error.json"
NAME_MAX = 255
"""Bytes in a file's name on every usual file system (limits.h)."""


class Shelf:
    """Chooses places in `done` and `failed`. Safe from any thread."""

    def __init__(self, config: FolderConfig) -> None:
        self._config = config
        self._lock = threading.Lock()
        self._promised: dict[str, Path] = {}
        self._holders: dict[Path, str] = {}

    def promise(self, taken: Taken, result: Result) -> str | None:
        """The place of a picture as text, held free for it until `forget`; None where it is deleted.

        A name that is taken gets the result's id before its suffix; so does a folder that is a symlink.
        """
        place = self.place(taken, result)
        return None if place is None else encode_path(place)

    def place(self, taken: Taken, result: Result) -> Path | None:
        """As `promise`, as a path."""
        if not taken.claimed:
            return taken.path
        home = self._home(result)
        if home is None:
            return None
        with self._lock:
            self._forget(taken.key)
            place = home / taken.relative
            if (link := self._link_above(place)) is not None:
                place = _under_another_name(link, place, result.id)
            elif place in self._holders or self._taken(place, result):
                place = beside(place, result.id)
            self._promised[taken.key] = place
            self._holders[place] = taken.key
        return place

    def forget(self, taken: Taken) -> None:
        """The picture is moved, or is not going to be now."""
        with self._lock:
            self._forget(taken.key)

    def _forget(self, key: str) -> None:
        self._holders.pop(self._promised.pop(key, Path()), None)

    def _taken(self, place: Path, result: Result) -> bool:
        if os.path.lexists(place):
            return True
        return result.status is Status.REJECTED and os.path.lexists(sidecar_of(place))

    def _link_above(self, place: Path) -> Path | None:
        """The symlink in `done` or `failed` that a picture would be written through, to who knows where."""
        topmost = None
        for folder in place.parents:
            if folder in (self._config.done, self._config.failed):
                break
            if os.path.islink(folder):  # noqa: PTH114 (may raise)
                topmost = folder
        return topmost

    def _home(self, result: Result) -> Path | None:
        if result.status is Status.REJECTED:
            return self._config.failed
        if self._config.after == "delete":
            return None
        return self._config.done / result.classified_at.astimezone(UTC).date().isoformat()


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
