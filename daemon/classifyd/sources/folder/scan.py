"""Listing what lies in an inbox."""

import os
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from classifyd.sources.folder.layout import WORK
from classifyd.sources.folder.selection import Selection


class Kind(Enum):
    """What a directory entry is to the source."""

    PICTURE = "picture"
    OTHER = "other file"
    IRREGULAR = "irregular"
    """A symlink, FIFO, socket or device under a picture's name, or a symlink to a folder."""


@dataclass(frozen=True, slots=True)
class Found:
    """One entry; `relative` to the inbox. `stat` looks at it without following links."""

    relative: str
    kind: Kind
    entry: "os.DirEntry[str]"

    def stat(self) -> os.stat_result:
        return self.entry.stat(follow_symlinks=False)


class Scanner:
    """Lists an inbox. Folders at `excluded` paths (done and failed, where they lie inside) are passed over,
    as are the daemon's own and those that the selection ignores; no symlink is followed."""

    def __init__(
        self,
        inbox: Path,
        recursive: bool,
        selection: Selection,
        excluded: Collection[Path],
        unlistable: Callable[[str, OSError], None],
    ) -> None:
        self._inbox = str(inbox)
        self._recursive = recursive
        self._selection = selection
        self._unlistable = unlistable
        self._excluded = {str(path) for path in excluded if path != inbox and path.is_relative_to(inbox)}
        self._excluded.add(str(inbox / WORK))

    def relative(self, path: str) -> str | None:
        """The path below the inbox of a wanted file's absolute path, or None."""
        prefix = self._inbox.rstrip("/") + "/"
        if not path.startswith(prefix) or not self._reaches(path.rpartition("/")[0] or "/"):
            return None
        relative = path[len(prefix) :]
        return relative if self._selection.wants(relative) else None

    def everything(self) -> Iterator[Found]:
        """Everything in the inbox. Raises OSError when the inbox itself cannot be listed."""
        yield from self._list(self._inbox, deep=True, required=True)

    def some(self, folders: dict[str, bool]) -> Iterator[Found]:
        """What lies in these folders (absolute), and where the value says so, in all below them."""
        for folder, deep in folders.items():
            if self._reaches(folder):
                yield from self._list(folder, deep, required=False)

    def _list(self, top: str, deep: bool, required: bool) -> Iterator[Found]:
        waiting = [top]
        while waiting:
            folder = waiting.pop()
            try:
                with os.scandir(folder) as entries:
                    for entry in entries:
                        if entry.is_dir(follow_symlinks=False):
                            if deep and self._recursive and self._enters(entry):
                                waiting.append(entry.path)
                        elif (found := self._found(entry)) is not None:
                            yield found
            except OSError as error:
                if required and folder == top:
                    raise
                if not isinstance(error, FileNotFoundError | NotADirectoryError):
                    self._unlistable(folder, error)

    def _found(self, entry: "os.DirEntry[str]") -> Found | None:
        if self._selection.ignores(entry.name):
            return None
        relative = entry.path[len(self._inbox.rstrip("/")) + 1 :]
        if entry.is_file(follow_symlinks=False):
            kind = Kind.PICTURE if self._selection.includes(entry.name) else Kind.OTHER
            return Found(relative, kind, entry)
        if self._selection.includes(entry.name) or entry.is_symlink():
            return Found(relative, Kind.IRREGULAR, entry)
        return None

    def _enters(self, entry: "os.DirEntry[str]") -> bool:
        return entry.path not in self._excluded and not self._selection.ignores(entry.name)

    def _reaches(self, folder: str) -> bool:
        if folder == self._inbox:
            return True
        if not self._recursive or not folder.startswith(self._inbox.rstrip("/") + "/"):
            return False
        steps = folder[len(self._inbox.rstrip("/")) + 1 :].split("/")
        path = self._inbox.rstrip("/")
        for step in steps:
            path = f"{path}/{step}"
            if path in self._excluded or self._selection.ignores(step):
                return False
        return True
