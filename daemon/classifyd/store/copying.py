"""A copy of a database that others may be writing: whole, in one file, and never over another file."""

import os
from pathlib import Path

from ulid import ULID

from classifyd.crashpoints import Point, reached
from classifyd.store.sqlite import connect


def copy_database(source: Path, target: Path) -> None:
    """Copies with SQLite's backup interface (https://www.sqlite.org/backup.html), in one step: a reader's
    view of one moment, which blocks no writer. The copy appears under its name when it is on the disk.

    Raises FileExistsError when `target` exists, OSError, or sqlite3.Error.
    """
    if target.exists():
        raise FileExistsError(target)
    temporary = target.with_name(f".{target.name}.{ULID()}.part")
    try:
        _copy(source, temporary)
        reached(Point.BACKUP_WRITTEN)
        _appear(temporary, target)
        reached(Point.BACKUP_NAMED)
    finally:
        for suffix in ("", "-journal", "-wal", "-shm"):
            temporary.with_name(temporary.name + suffix).unlink(missing_ok=True)
    _sync_folder(target.parent)


def _copy(source: Path, target: Path) -> None:
    origin = connect(source, "ro")
    try:
        copy = connect(target, "rwc")
        try:
            origin.backup(copy)
            # Out of WAL mode, so that the copy is complete without files beside it.
            copy.execute("PRAGMA journal_mode = DELETE")
        finally:
            copy.close()
    finally:
        origin.close()


def _appear(temporary: Path, target: Path) -> None:
    """A link, unlike a rename, never replaces; where links are missing the name is taken first."""
    try:
        os.link(temporary, target)
    except FileExistsError:
        raise
    except OSError:
        target.touch(exist_ok=False)
        temporary.rename(target)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
