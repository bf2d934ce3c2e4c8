"""The ways into the database: the daemon's, which makes, locks and upgrades it, and the reader's."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Self

from sqlalchemy.exc import DBAPIError

from classifyd.core.errors import ConfigurationError, StoreUnavailable
from classifyd.core.ports import Ledger, Outbox, Results, ResultStore
from classifyd.crashpoints import Point, reached
from classifyd.store import schema, sqlite
from classifyd.store.copying import copy_database
from classifyd.store.failures import meaning
from classifyd.store.locking import DatabaseLock
from classifyd.store.mounts import network_file_system
from classifyd.store.outbox import OutboxReader
from classifyd.store.reading import Reader
from classifyd.store.writing import Writer
from classifyd.telemetry import emit
from classifyd.telemetry.store import DatabaseCreated, DatabaseUpgraded, SqliteHasWalResetBug


class Database:
    """The daemon's database, locked from `open` to `close`.

    `instance` is the ULID that names this daemon; `store` is for one thread, the rest for any.
    """

    def __init__(self, path: Path, lock: DatabaseLock, clock: Callable[[], datetime]) -> None:
        self._lock = lock
        self._writer = Writer(path, clock)
        self._reader = Reader(path)
        self._outbox = OutboxReader(path)
        self.instance = self._writer.instance()

    @classmethod
    def open(cls, url: str, clock: Callable[[], datetime]) -> Self:
        """Opens the database of `url` (`sqlite:///path`) for writing: makes folder and file where they are
        missing, and upgrades an older one after copying it to `<name>.before-<revision>`.

        `clock` gives aware moments. Raises ConfigurationError when another process holds the database, it
        is newer than this code or no database of ours, it lies on a network file system, or rights or space
        are missing.
        """
        path = sqlite.path_of(url)
        if sqlite.has_wal_reset_bug(sqlite3.sqlite_version_info):
            emit(SqliteHasWalResetBug(version=sqlite3.sqlite_version))
        _make_folder(path.parent)
        _refuse_network(path)
        lock = DatabaseLock(path, "the daemon")
        try:
            with refusing(path):
                _prepare(path)
                return cls(path, lock, clock)
        except BaseException:
            lock.release()
            raise

    @property
    def store(self) -> ResultStore:
        """The recorder's."""
        return self._writer

    @property
    def ledger(self) -> Ledger:
        """What is recorded already."""
        return self._reader

    @property
    def outbox(self) -> Outbox:
        """The relay's."""
        return self._outbox

    @property
    def results(self) -> Results:
        """Results for people."""
        return self._reader

    def close(self) -> None:
        """Closes every connection and lets the next daemon have the database. May be called twice."""
        self._reader.close()
        self._outbox.close()
        # Last, so that it folds the write-ahead log into the file.
        self._writer.close()
        self._lock.release()


def read_only(url: str) -> Reader:
    """Opens the database of `url` for reading, whether a daemon runs or not.

    Raises ConfigurationError when there is none, or it is of another revision than this code's."""
    return Reader(existing(url))


def existing(url: str) -> Path:
    """The file of a database of exactly this code's revision. Raises ConfigurationError otherwise."""
    path = sqlite.path_of(url)
    with refusing(path):
        if not path.exists():
            raise ConfigurationError(f"there is no database at {path}: `classifyd run` makes it")
        if schema.revision_of(path) != schema.head():
            raise ConfigurationError(
                f"{path} is of an older classifyd: start `classifyd run` once to upgrade it"
            )
    return path


@contextmanager
def refusing(path: Path) -> Iterator[None]:
    """Raises ConfigurationError for what the file system or SQLite raises inside: before the daemon works,
    their failures are for the user to mend."""
    try:
        yield
    except DBAPIError as error:
        told = meaning(path, error.orig) if isinstance(error.orig, sqlite3.Error) else f"{path}: {error}"
        raise ConfigurationError(told) from error
    except sqlite3.Error as error:
        raise ConfigurationError(meaning(path, error)) from error
    except StoreUnavailable as error:
        raise ConfigurationError(str(error)) from error
    except PermissionError as error:
        raise ConfigurationError(
            f"{error.filename or path}: {error.strerror or error}: give this user the right to it and to its"
            " folders, or name another place in database.url"
        ) from error
    except OSError as error:
        raise ConfigurationError(f"{error.filename or path}: {error.strerror or error}") from error


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(
            f"{folder} cannot be made for the database: make it, or name another place in database.url"
            f" ({error.strerror})"
        ) from error


def _refuse_network(path: Path) -> None:
    kind = network_file_system(path)
    if kind is not None:
        raise ConfigurationError(
            f"{path} lies on a network file system ({kind}), where SQLite's write-ahead log does not work:"
            " put the database on a local disk"
        )


def _prepare(path: Path) -> None:
    """A file of this code's revision with a write-ahead log, whatever was there before."""
    before = schema.revision_of(path) if path.exists() else None
    if before is None:
        schema.upgrade(path)
        emit(DatabaseCreated(path=str(path)))
    elif before != schema.head():
        copy = _free_name(path.with_name(f"{path.name}.before-{schema.head()}"))
        copy_database(path, copy)
        reached(Point.BACKUP_MADE)
        schema.upgrade(path)
        emit(DatabaseUpgraded(path=str(path), revision=schema.head(), before=before, copy=str(copy)))
    reached(Point.DATABASE_MIGRATED)
    if not sqlite.use_write_ahead_log(path):
        raise ConfigurationError(
            f"{path} lies where SQLite's write-ahead log does not work: put the database on a local disk"
        )


def _free_name(wanted: Path) -> Path:
    """`wanted`, or with the first number behind it that makes it new: an earlier copy is kept."""
    name, number = wanted, 1
    while name.exists():
        name, number = wanted.with_name(f"{wanted.name}.{number}"), number + 1
    return name
