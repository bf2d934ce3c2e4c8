"""Scanning the inbox: what is seen is told, named once, and counted."""

import os
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from classifyd.core.names import encode_path
from classifyd.sources.folder.config import FolderConfig
from classifyd.sources.folder.files import Fingerprint
from classifyd.sources.folder.once import Once
from classifyd.sources.folder.scan import Found, Kind, Scanner
from classifyd.sources.folder.selection import Selection
from classifyd.sources.folder.troubles import remedy
from classifyd.telemetry import folder as events

See = Callable[[str, Fingerprint], None]


class Basket(Protocol):
    """What has been seen before, and whether more is wanted now."""

    def __contains__(self, relative: object) -> bool: ...

    @property
    def full(self) -> bool: ...


class Surveyor:
    """Tells `see` of every picture that is not in the basket yet, until the basket is full."""

    def __init__(self, config: FolderConfig) -> None:
        self._said = Once()
        self._scanner = Scanner(
            config.path,
            config.recursive,
            Selection(config.include, config.ignore),
            (config.done, config.failed),
            self._unlistable,
        )

    def relative(self, path: str) -> str | None:
        """The path below the inbox of a wanted file's absolute path, or None."""
        return self._scanner.relative(path)

    def everything(self, basket: Basket, see: See) -> int:
        """Scans the whole inbox; returns how many pictures the basket had no room for.

        Raises OSError when the inbox cannot be listed.
        """
        began = time.monotonic()
        pictures = others = beyond = 0
        for found in self._scanner.everything():
            if found.kind is Kind.OTHER:
                others += 1
            pictures += found.kind is Kind.PICTURE
            beyond += self._look_at(found, basket, see)
        seconds = round(time.monotonic() - began, 3)
        events.emit(events.InboxScanned(pictures=pictures, other_files=others, seconds=seconds))
        return beyond

    def some(self, folders: dict[str, bool], basket: Basket, see: See) -> int:
        """Scans these folders (absolute), and where the value says so, all below them."""
        return sum(self._look_at(found, basket, see) for found in self._scanner.some(folders))

    def _look_at(self, found: Found, basket: Basket, see: See) -> int:
        if found.kind is Kind.OTHER:
            self._name_extension(found)
        elif found.kind is Kind.IRREGULAR:
            self._name_irregular(found)
        elif found.relative not in basket:
            if basket.full:
                return 1
            self._see(found, see)
        return 0

    def _see(self, found: Found, see: See) -> None:
        try:
            status = found.stat()
        except FileNotFoundError:  # gone since it was listed
            return
        except OSError as error:
            self._unlistable(os.path.dirname(found.entry.path), error)  # noqa: PTH120
            return
        if stat.S_ISREG(status.st_mode):
            see(found.relative, Fingerprint.of(status))

    def _name_extension(self, found: Found) -> None:
        extension = Path(found.relative).suffix.lower()
        if self._said.first(("extension", extension)):
            named, example = encode_path(extension) or "none", encode_path(found.relative)
            events.emit(events.OtherFiles(extension=named, example=example))

    def _name_irregular(self, found: Found) -> None:
        if self._said.first(("irregular", found.relative)):
            events.emit(events.IrregularFile(path=encode_path(found.relative), kind=_kind(found)))

    def _unlistable(self, folder: str, error: OSError) -> None:
        if self._said.first(("folder", folder)):
            reason = os.strerror(error.errno or 0)
            events.emit(
                events.FolderUnreadable(path=encode_path(folder), reason=reason, remedy=remedy(error))
            )


def _kind(found: Found) -> str:
    try:
        mode = found.stat().st_mode
    except OSError:
        return "gone"
    kinds = {stat.S_IFLNK: "symlink", stat.S_IFIFO: "fifo", stat.S_IFSOCK: "socket"}
    return kinds.get(stat.S_IFMT(mode), "device")
