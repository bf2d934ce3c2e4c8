"""Moving a file so that nothing is ever overwritten and a crash at any point is made good by repeating.

On one file system: link, then unlink. Where there are no links: an exclusively created placeholder that
names its owner, then a rename onto it. Across file systems: a copy under a temporary name, synced, linked
to its place, then unlink.
"""

import errno
import filecmp
import os
import shutil
import stat
from pathlib import Path

from classifyd.crashpoints import Point, reached
from classifyd.sources.folder.files import StrPath

# What link(2) answers where it cannot: no links on that file system, too many of one file already, or
# (EPERM, fs.protected_hardlinks) a file of somebody else's.
_NO_LINKS = {errno.EPERM, errno.EACCES, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK}
_MARK = b"classifyd is moving a picture here: "


def move(source: StrPath, target: StrPath, token: str) -> None:
    """Moves a regular file, and makes the folders above its target.

    `token` names this very move; the same one is passed when it is repeated after a crash. Raises
    FileExistsError when the target is taken by another file, FileNotFoundError when the source is gone,
    NotADirectoryError when a file lies where a folder must be; other OSErrors may pass by themselves.
    """
    try:
        _link(source, target)
    except OSError as error:
        _move_otherwise(Path(source), Path(target), token, error)
    else:
        os.unlink(source)  # noqa: PTH108 (for each picture: a Path costs more than the call)


def _link(source: StrPath, target: StrPath) -> None:
    """Links, and makes the folders above the target first where they are missing."""
    try:
        os.link(source, target)
    except (FileNotFoundError, NotADirectoryError):
        os.lstat(source)
        _make_parent(Path(target))
        reached(Point.PLACE_FOLDER_MADE)
        os.link(source, target)
    reached(Point.FILE_LINKED)


def _move_otherwise(source: Path, target: Path, token: str, error: OSError) -> None:
    """Where it cannot be linked to its target, for this error."""
    if error.errno == errno.EEXIST or os.path.lexists(target):
        _finish(source, target, token)
        return
    source.lstat()  # where it is gone nothing is made: all of the inbox may be away
    _make_parent(target)  # which of two reasons link(2) tells first is its own business
    if error.errno in _NO_LINKS:
        _replace_placeholder(source, target, token)
        return
    if error.errno != errno.EXDEV:
        raise error
    _copy(source, target, token)
    source.unlink()


def move_where_seen(source: Path, target: Path, token: str, other: Path) -> Path:
    """Moves a regular file to where others may take it from at once, so that no placeholder may stand there.

    Returns the target, or where it is taken or there are no links, `other`: a name that nobody else uses.
    """
    try:
        _make_parent(target)
        os.link(source, target)
    except OSError as error:
        if error.errno == errno.EXDEV:
            return _copy_where_seen(source, target, token, other)
        if error.errno not in _NO_LINKS | {errno.EEXIST, errno.ENOTDIR}:
            raise
        _make_parent(other)
        source.rename(other)
        return other
    source.unlink()
    return target


def _copy_where_seen(source: Path, target: Path, token: str, other: Path) -> Path:
    temporary = _temporary(target, token)
    try:
        _copy_content(source, temporary)
        place = move_where_seen(temporary, target, token, other)
    finally:
        temporary.unlink(missing_ok=True)
    _sync_folder(place.parent)
    source.unlink()
    return place


def write_new(target: Path, content: bytes, token: str) -> None:
    """Writes a file whole or not at all, and makes the folders above it. Raises FileExistsError when the
    target exists with other content; the same content is taken for that of an earlier try.

    What a crash leaves under the temporary name, the repetition with the same `token` writes anew and
    removes."""
    _make_parent(target)
    temporary = _temporary(target, token)
    try:
        with os.fdopen(_create(temporary, 0o666), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        reached(Point.CONTENT_WRITTEN)
        _link_or_place(temporary, target, token)
        reached(Point.CONTENT_NAMED)
    except FileExistsError:
        if not _holds(target, content):
            raise
    finally:
        temporary.unlink(missing_ok=True)


def _finish(source: Path, target: Path, token: str) -> None:
    """Ends a move that an earlier life began. Raises FileExistsError when the target is not of its making."""
    ours, there = source.lstat(), target.lstat()
    if stat.S_ISREG(there.st_mode):
        if os.path.samestat(ours, there):
            source.unlink()
            return
        if _is_placeholder(target, token):
            _replace_placeholder(source, target, token)
            return
        copied = ours.st_dev != there.st_dev and ours.st_size == there.st_size
        if copied and filecmp.cmp(source, target, shallow=False):
            _temporary(target, token).unlink(missing_ok=True)
            _sync_folder(target.parent)  # the earlier life may have ended before
            source.unlink()
            return
    raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), target)


def _copy(source: Path, target: Path, token: str) -> None:
    temporary = _temporary(target, token)
    try:
        _copy_content(source, temporary)
        reached(Point.FILE_COPIED)
        _link_or_place(temporary, target, token)
        reached(Point.COPY_NAMED)
    finally:
        temporary.unlink(missing_ok=True)
    _sync_folder(target.parent)
    reached(Point.COPY_SYNCED)


def _copy_content(source: Path, target: Path) -> None:
    status = source.lstat()
    with (
        os.fdopen(os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb") as original,
        os.fdopen(_create(target, stat.S_IMODE(status.st_mode) | stat.S_IWUSR), "wb") as copy,
    ):
        shutil.copyfileobj(original, copy, 1 << 20)
        copy.flush()
        os.utime(copy.fileno(), ns=(status.st_atime_ns, status.st_mtime_ns))
        os.fsync(copy.fileno())


def _link_or_place(temporary: Path, target: Path, token: str) -> None:
    try:
        os.link(temporary, target)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        _replace_placeholder(temporary, target, token)


def _replace_placeholder(source: Path, target: Path, token: str) -> None:
    try:
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    except FileExistsError:
        if not _is_placeholder(target, token):
            raise
    else:
        reached(Point.PLACEHOLDER_MADE)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(_MARK + token.encode())
        except OSError:  # no room for it: nobody could tell whose it is
            target.unlink()
            raise
    reached(Point.PLACEHOLDER_MARKED)
    try:
        source.rename(target)
    except OSError as error:
        target.unlink()
        if error.errno != errno.EXDEV:
            raise
        reached(Point.PLACEHOLDER_REMOVED)
        _copy(source, target, token)
        source.unlink()


def _is_placeholder(target: Path, token: str) -> bool:
    """One that a crash left empty is known by its path, where that holds the token: nobody else uses it."""
    return _holds(target, _MARK + token.encode()) or (token in str(target) and _holds(target, b""))


def _holds(path: Path, content: bytes) -> bool:
    try:
        with os.fdopen(
            os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC), "rb"
        ) as file:
            return file.read(len(content) + 1) == content
    except OSError:
        return False


def _temporary(target: Path, token: str) -> Path:
    return target.parent / f".{token}.tmp"


def _create(path: Path, mode: int) -> int:
    """A new file, never the one that an earlier life left there: that may be the picture at its place, under
    its second name, and writing to it would write to both."""
    path.unlink(missing_ok=True)
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)


def _make_parent(target: Path) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), error.filename) from error


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in {errno.EINVAL, errno.ENOTSUP}:  # some network file systems cannot
            raise
    finally:
        os.close(descriptor)
