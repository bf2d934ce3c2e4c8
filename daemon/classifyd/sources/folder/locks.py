"""Which instances are alive: each holds a lock on a file of its own."""

import errno
import fcntl
import os
from contextlib import suppress
from pathlib import Path

# What flock answers where the file system (or the mount's options) has no locks.
_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL}


class LocksMissing(Exception):
    """The file system has no locks, so nobody can tell which instances are alive."""


class InstanceLock:
    """A lock that is held until it is released or the process ends."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self._path = path
        self._descriptor = descriptor

    @classmethod
    def take(cls, path: Path) -> "InstanceLock | None":
        """Takes the lock without waiting, or returns None where somebody holds it.

        Raises LocksMissing where there are no locks, OSError where the file cannot be made or opened.
        """
        descriptor = _open(path)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            if isinstance(error, BlockingIOError):
                return None
            if error.errno in _NO_LOCKS:
                raise LocksMissing(str(error)) from error
            raise
        return cls(path, descriptor)

    @property
    def intact(self) -> bool:
        """Whether the file at the path is still the locked one; somebody may have deleted it."""
        try:
            return os.path.samestat(os.fstat(self._descriptor), self._path.stat())
        except OSError:
            return False

    def release(self) -> None:
        os.close(self._descriptor)


def _open(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except PermissionError:
        with suppress(OSError):  # another user's file: flock needs no right to write (but on NFS, flock(2))
            return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        raise
