"""One writer to a file: a lock that ends with its process, and says who holds it."""

import fcntl
import os
import socket
from pathlib import Path
from types import TracebackType
from typing import Self

from classifyd.core.errors import ConfigurationError


class DatabaseLock:
    """Holds `<database>.lock` from its making to `release`.

    `holder` says in the lock file what holds it (`the daemon`, `classifyd prune`).
    Raises ConfigurationError, which names the holder, when another process has it.
    """

    def __init__(self, database: Path, holder: str) -> None:
        path = database.with_name(f"{database.name}.lock")
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise ConfigurationError(
                f"{path} cannot be opened: give the user that runs classifyd the right to write it and its"
                f" folder ({error.strerror})"
            ) from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(self._file, 0)
            os.pwrite(self._file, f"{holder}, pid {os.getpid()} on {socket.gethostname()}\n".encode(), 0)
        except BlockingIOError:
            other = os.pread(self._file, 200, 0).decode(errors="replace").strip()
            os.close(self._file)
            raise ConfigurationError(
                f"{database} is in use by {other or 'another process'}: stop that one,"
                " or name another file in database.url"
            ) from None
        except OSError as error:
            os.close(self._file)
            raise ConfigurationError(
                f"{path} cannot be locked: put the database on a local disk ({error.strerror})"
            ) from error

    def release(self) -> None:
        """Lets the next one have it. May be called twice."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()
