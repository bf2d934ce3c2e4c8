"""What the database's errors mean: try again later, or never with this data; and what to do."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from classifyd.core.errors import StoreUnavailable, UnstorableRow

# https://www.sqlite.org/rescode.html
_OF_THE_DATA = {
    sqlite3.SQLITE_CONSTRAINT,
    sqlite3.SQLITE_MISMATCH,
    sqlite3.SQLITE_RANGE,
    sqlite3.SQLITE_TOOBIG,
}
_MEANINGS = {
    sqlite3.SQLITE_BUSY: "is locked by another program: end it or let it finish",
    sqlite3.SQLITE_LOCKED: "is locked by another program: end it or let it finish",
    sqlite3.SQLITE_FULL: "cannot grow, the disk is full: free some space",
    sqlite3.SQLITE_IOERR: "cannot be read or written: check the disk and its connection",
    sqlite3.SQLITE_READONLY: "may not be written: run classifyd as the user that owns it, or give this user"
    " the right to write it and its folder; check that the disk is not mounted read-only",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened: check that it exists, and that this user may write it and its"
    " folder",
    sqlite3.SQLITE_PERM: "may not be opened: give this user the right to write it and its folder",
    sqlite3.SQLITE_NOTADB: "is not a SQLite database: name another file in database.url, or move it away",
    sqlite3.SQLITE_CORRUPT: "is damaged: stop the daemon and restore a backup",
}


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Raises StoreUnavailable or UnstorableRow for what the database at `path` raises inside."""
    try:
        yield
    except DBAPIError as error:
        raise _translation(path, error.orig) from error
    except sqlite3.Error as error:
        raise _translation(path, error) from error
    except PoolTimeout as error:
        raise StoreUnavailable(f"{path} is read by too many at once: try again later") from error
    except (UnicodeEncodeError, OverflowError) as error:
        raise UnstorableRow(f"{path} cannot hold this value: {error}") from error


def meaning(path: Path, error: sqlite3.Error) -> str:
    """One line on what happened to the database at `path` and what to do."""
    told = _MEANINGS.get(_primary(error))
    return f"{path} {told} ({error})" if told else f"{path}: the database failed: {error}"


def _translation(path: Path, error: BaseException | None) -> StoreUnavailable | UnstorableRow:
    if not isinstance(error, sqlite3.Error):
        return StoreUnavailable(f"{path}: the database failed: {error}")
    # A value of a type that SQLite does not know is refused without a code.
    if (
        isinstance(error, sqlite3.InterfaceError | sqlite3.ProgrammingError)
        or _primary(error) in _OF_THE_DATA
    ):
        return UnstorableRow(f"{path} refuses this row: {error}")
    return StoreUnavailable(meaning(path, error))


def _primary(error: sqlite3.Error) -> int:
    code: int = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    return code & 0xFF
