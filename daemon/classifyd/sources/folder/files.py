"""Looking at files and reading them, without ever following a link or hanging on a pipe."""

import os
import stat
from dataclasses import dataclass

StrPath = str | os.PathLike[str]
"""Paths of pictures are text: for each of them a Path costs more than the system call."""

# O_NONBLOCK: opening a FIFO that took the file's name since it was listed must not wait for a writer.
_READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


class FileChanged(Exception):
    """The file is no longer what it was when it was last looked at."""


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What stands still while nobody writes to a file; size in bytes."""

    size: int
    mtime_ns: int
    inode: int

    @classmethod
    def of(cls, status: os.stat_result) -> "Fingerprint":
        return cls(status.st_size, status.st_mtime_ns, status.st_ino)


UNKNOWN = Fingerprint(-1, -1, -1)
"""Of a file that cannot be looked at: unlike any other."""


def look(path: StrPath) -> Fingerprint | None:
    """The fingerprint of a regular file, or None where there is none (any more). Raises other OSErrors."""
    try:
        status = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return Fingerprint.of(status) if stat.S_ISREG(status.st_mode) else None


def glance(path: StrPath) -> Fingerprint | None:
    """As `look`, but UNKNOWN where that raises: whoever tries the file next is told why."""
    try:
        return look(path)
    except OSError:
        return UNKNOWN


def present(path: StrPath) -> bool:
    """Whether anything lies at a path, a link that leads nowhere too. Raises the OSErrors that leave this
    open (ESTALE, EIO, EACCES): a disk that fails says nothing of what lies on it."""
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def read(path: StrPath, seen: Fingerprint, max_bytes: int) -> bytes:
    """The content of a file that is still as `seen`, nothing of one larger than `max_bytes`.

    It may change while it is read: whoever takes it looks at it once more. Raises FileChanged when size,
    modification time or inode differ before, or less than that size was there, and OSError when it cannot
    be opened or read.
    """
    descriptor = os.open(path, _READ)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or Fingerprint.of(status) != seen:
            raise FileChanged(path)
        if seen.size > max_bytes:
            return b""
        data = os.read(descriptor, seen.size)
        while len(data) < seen.size:
            if not (more := os.read(descriptor, seen.size - len(data))):
                raise FileChanged(path)
            data += more
        return data
    finally:
        os.close(descriptor)
