"""Looking at files and reading them, without ever following a link or hanging on a pipe."""

import os
import stat
from dataclasses import dataclass
from pathlib import Path

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


def look(path: Path) -> Fingerprint | None:
    """The fingerprint of a regular file, or None where there is none (any more). Raises other OSErrors."""
    try:
        status = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return Fingerprint.of(status) if stat.S_ISREG(status.st_mode) else None


def glance(path: Path) -> Fingerprint | None:
    """As `look`, but UNKNOWN where that raises: whoever tries the file next is told why."""
    try:
        return look(path)
    except OSError:
        return UNKNOWN


def present(path: Path) -> bool:
    """Whether anything lies at a path, a link that leads nowhere too. Raises the OSErrors that leave this
    open (ESTALE, EIO, EACCES): a disk that fails says nothing of what lies on it."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def read_unchanged(path: Path, seen: Fingerprint, max_bytes: int) -> bytes:
    """The whole content of a file that is still as `seen`; nothing of one larger than `max_bytes`.

    Raises FileChanged when size, modification time or inode differ
    before or after reading, and OSError when it cannot be opened or read.
    """
    descriptor = os.open(path, _READ)
    try:
        _compare(descriptor, seen)
        if seen.size > max_bytes:
            return b""
        data = _read(descriptor, seen.size)
        if len(data) < seen.size:
            raise FileChanged(path)
        _compare(descriptor, seen)
        return data
    finally:
        os.close(descriptor)


def _read(descriptor: int, size: int) -> bytes:
    data = os.read(descriptor, size)
    while len(data) < size and (more := os.read(descriptor, size - len(data))):
        data += more
    return data


def _compare(descriptor: int, seen: Fingerprint) -> None:
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode) or Fingerprint.of(status) != seen:
        raise FileChanged
