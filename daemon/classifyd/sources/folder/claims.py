"""Claiming: a file is taken by renaming it to where no scan looks. The loser of a rename moves on."""

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ulid import ULID

from classifyd.core.names import encode_path
from classifyd.core.values import Origin, Source
from classifyd.crashpoints import Point, reached
from classifyd.sources.folder.files import Fingerprint, present
from classifyd.sources.folder.layout import Layout
from classifyd.sources.folder.locks import InstanceLock, LocksMissing

FILES_PER_CLAIM = 256
_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class Taken:
    """A file under way: its origin's key, its path relative to the inbox, and where it lies now (absolute):
    in a claim folder, or (`claimed` is false) where it was found."""

    key: str
    relative: str
    path: str
    claimed: bool = True

    @property
    def claim(self) -> str:
        """The claim that it belongs to, as its key names it."""
        return self.key.partition("/")[0]

    @property
    def origin(self) -> Origin:
        """The origin that its key names."""
        path = encode_path(self.relative)
        return Origin(Source.FOLDER, self.key, name=path.rpartition("/")[2], path=path)


def found_at(inbox: str, relative: str) -> Taken:
    """A file that lies in the inbox, before it is claimed; it has no key yet."""
    return Taken("", relative, f"{inbox}/{relative}", claimed=False)


def kept(inbox: str, relative: str, seen: Fingerprint) -> Taken:
    """A file that stays where it is: it is another origin when its size or modification time changes."""
    path = os.path.join(inbox, relative)  # noqa: PTH118
    key = f"file:{encode_path(path)}:{seen.size}:{seen.mtime_ns}"
    return Taken(key, relative, path, claimed=False)


class Claims:
    """The claims of one instance in one inbox. One claim folder serves `FILES_PER_CLAIM` files and takes a
    relative path once, so that a key names one file for ever. Used by the source's thread only."""

    def __init__(
        self, layout: Layout, instance: str, new_claim: Callable[[], str] = lambda: str(ULID())
    ) -> None:
        self._layout = layout
        self._instance = instance
        self._inbox = str(layout.inbox)
        self._mine = layout.claims_of(instance)
        self._mine_text = str(self._mine)
        self._new_claim = new_claim
        self._folds = False  # whether the file system takes upper and lower case for the same
        self._open_new()

    def claim(self, relative: str) -> Taken:
        """Takes a file of the inbox. Raises FileNotFoundError when it is gone (another daemon was faster),
        other OSErrors when it cannot be renamed."""
        if relative in self._used or len(self._used) >= FILES_PER_CLAIM:
            self._open_new()
        try:
            return self._take(relative)
        except OSError:
            self._doubtful = True
            raise

    def _take(self, relative: str) -> Taken:
        source = f"{self._inbox}/{relative}"
        for _ in range(_ATTEMPTS):
            target = self._target(relative)
            unsure = self._folds or self._doubtful or not relative.isascii()
            if unsure and present(target):
                self._open_new()  # the file system takes a claimed file's name and this one for the same
                target = self._target(relative)
            try:
                os.rename(source, target)  # noqa: PTH104 (for each picture: a Path costs more than the call)
            except FileNotFoundError:
                os.lstat(source)
                # The claim folder is new, or the mover has just removed it because it was empty.
                self._make_parent(Path(target))
            except (NotADirectoryError, IsADirectoryError):
                os.lstat(source)
                self._open_new()  # an earlier claim's file bears the name of this one's folder, or vice versa
            else:
                self._used.add(relative)
                reached(Point.FILE_CLAIMED)
                return Taken(_key(self._claim, relative), relative, target)
        raise OSError(f"cannot claim {encode_path(source)}: its claim folder keeps vanishing")

    def left_behind(self) -> Iterator[Taken]:
        """What this instance claimed in an earlier life. Raises OSError where it cannot be listed."""
        for claim in _folders(self._mine):
            if claim != self._claim:
                yield from self._taken(claim, _files_in(self._mine / claim))
                _clear(self._mine / claim)

    def take_over(self, unable: Callable[[Path, OSError], None]) -> dict[str, list[Taken]]:
        """The claims of other instances that are dead (their lock is free), by instance; they are this
        instance's from now on, their keys unchanged.

        `unable` is told of every folder whose claims cannot be had now, as another user's may be.
        """
        found: dict[str, list[Taken]] = {}
        for other in self._others(unable):
            try:
                for taken in self._take_from(other):
                    found.setdefault(other, []).append(taken)
            except OSError as error:
                unable(self._layout.claims_of(other), error)
        return found

    def _others(self, unable: Callable[[Path, OSError], None]) -> list[str]:
        try:
            return [other for other in _folders(self._layout.claimed) if other != self._instance]
        except OSError as error:
            unable(self._layout.claimed, error)
            return []

    def _take_from(self, other: str) -> Iterator[Taken]:
        theirs = self._layout.claims_of(other)
        if not _folders(theirs):
            return
        try:
            lock = InstanceLock.take(self._layout.lock_of(other))
        except LocksMissing:
            return
        if lock is None:
            return
        try:
            self._mine.mkdir(parents=True, exist_ok=True)
            for claim in _folders(theirs):
                with suppress(FileNotFoundError):
                    files = _files_in(
                        theirs / claim
                    )  # before: what cannot be listed is tried again as theirs
                    (theirs / claim).rename(self._mine / claim)
                    reached(Point.CLAIM_TAKEN_OVER)
                    yield from self._taken(claim, files)
            _clear(theirs)
        finally:
            lock.release()

    def _taken(self, claim: str, files: list[str]) -> Iterator[Taken]:
        for relative in files:
            yield Taken(_key(claim, relative), relative, f"{self._mine_text}/{claim}/{relative}")

    def _target(self, relative: str) -> str:
        return f"{self._mine_text}/{self._claim}/{relative}"

    def _open_new(self) -> None:
        self._claim = self._new_claim()
        self._used: set[str] = set()
        self._doubtful = False  # whether a rename failed: a network file system may have done it (rename(2))

    def _make_parent(self, target: Path) -> None:
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError):
            self._open_new()
        self._folds = present(self._mine / self._claim.swapcase())
        reached(Point.CLAIM_FOLDER_MADE)


def _key(claim: str, relative: str) -> str:
    return f"folder:{claim}/{encode_path(relative)}"


def remove_empty(file: str, layout: Layout) -> None:
    """Removes the claim's folder that a file lay in, with those below it; what is not empty stays."""
    path = Path(file)
    if path.is_relative_to(layout.claimed):
        instance, claim = path.relative_to(layout.claimed).parts[:2]
        _clear(layout.claims_of(instance) / claim)


def _clear(top: Path) -> None:
    """Removes the empty folders at and below `top`, which a crash may have left."""
    for folder, _, _ in os.walk(top, topdown=False):
        with suppress(OSError):  # not empty
            Path(folder).rmdir()


def _files_in(claim: Path) -> list[str]:
    """The files of a claim, relative to its folder. Raises OSError where one below it cannot be listed:
    nobody would ever hear of its files."""

    def unlistable(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):  # the mover removes folders that it has emptied
            raise error

    walk = os.walk(claim, onerror=unlistable)
    return [str(Path(folder, name).relative_to(claim)) for folder, _, names in walk for name in names]


def _folders(path: Path) -> list[str]:
    try:
        with os.scandir(path) as entries:
            return sorted(entry.name for entry in entries if entry.is_dir(follow_symlinks=False))
    except FileNotFoundError:
        return []
