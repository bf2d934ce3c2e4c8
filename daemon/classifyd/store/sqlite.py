"""SQLite as classifyd uses it: where the file is, how connections are made, which versions are unsound."""

import sqlite3
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import Connection, Engine, QueuePool, create_engine, event

from classifyd.core.errors import ConfigurationError

BUSY_TIMEOUT_S = 5.0
_PREFIX = "sqlite:///"
_READERS = 8
_READERS_AT_PEAK = 64
# The log is folded into the file when it holds this much (16 MiB): a page that many rows change, such as the
# end of a label's part of an index, is then written once for all. After a reader made the log grow it is cut
# back to the other.
_LOG_PAGES = 4000
_JOURNAL_BYTES = 64 * 2**20
# What a transaction changes has room: what has not goes to the log early, and again when it changes again.
_CACHE_KIB = 16 * 2**10


def path_of(url: str) -> Path:
    """The file that a `sqlite:///path` URL names, absolute and without links; the path stands as it is,
    nothing in it is an escape or a parameter.

    Raises ConfigurationError for other URLs."""
    if not url.startswith(_PREFIX):
        scheme = url.partition(":")[0]
        raise ConfigurationError(
            f"database.url begins with {scheme}, and only SQLite is supported: write sqlite:///path/to/file.db"
        )
    name = url.removeprefix(_PREFIX)
    if name in {"", ":memory:"}:
        raise ConfigurationError(
            "database.url names no file, and results must outlive the daemon: write sqlite:///path/to/file.db"
        )
    return Path(name).resolve()


def connect(path: Path, mode: str) -> sqlite3.Connection:
    """A connection without implicit transactions; `mode` is ro, rw or rwc (SQLite's URI parameter).

    It may move from thread to thread, but serves one at a time. Raises sqlite3.Error."""
    return sqlite3.connect(
        f"file:{quote(str(path))}?mode={mode}",
        uri=True,
        timeout=BUSY_TIMEOUT_S,
        isolation_level=None,
        check_same_thread=False,
    )


def writing_engine(path: Path) -> Engine:
    """An engine with one connection, whose transactions take the write lock when they begin
    (`BEGIN IMMEDIATE`) and are on the disk when they end (`synchronous=FULL`: in WAL mode NORMAL may drop
    commits at power loss, https://www.sqlite.org/pragma.html#pragma_synchronous)."""

    def opened() -> sqlite3.Connection:
        connection = connect(path, "rw")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute(f"PRAGMA journal_size_limit = {_JOURNAL_BYTES}")
        connection.execute(f"PRAGMA wal_autocheckpoint = {_LOG_PAGES}")
        connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        return connection

    engine = create_engine(
        "sqlite://",
        creator=opened,
        poolclass=QueuePool,
        pool_size=1,
        max_overflow=0,
        pool_reset_on_return=None,
    )

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def reading_engine(path: Path) -> Engine:
    """An engine whose connections cannot write and never hold a transaction open (open readers make the
    write-ahead log grow): each statement sees what is committed when it begins."""

    def opened() -> sqlite3.Connection:
        connection = connect(path, "ro")
        connection.execute("PRAGMA query_only = ON")
        return connection

    return create_engine(
        "sqlite://",
        creator=opened,
        poolclass=QueuePool,
        pool_size=_READERS,
        max_overflow=_READERS_AT_PEAK - _READERS,
        pool_timeout=BUSY_TIMEOUT_S,
    )


def use_write_ahead_log(path: Path) -> bool:
    """Turns the file's journal to WAL, for good. False where the file system does not allow it."""
    connection = connect(path, "rw")
    try:
        (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    finally:
        connection.close()
    return bool(mode == "wal")


def has_wal_reset_bug(version: tuple[int, int, int]) -> bool:
    """Whether this SQLite may corrupt a database when two connections write and checkpoint at one moment:
    3.7.0 to 3.51.2, less the backports 3.44.6 and 3.50.7 (https://www.sqlite.org/wal.html#walresetbug)."""
    major, minor, patch = version
    if (major, minor) in {(3, 44), (3, 50)}:
        return patch < {44: 6, 50: 7}[minor]
    return (3, 7, 0) <= version <= (3, 51, 2)
