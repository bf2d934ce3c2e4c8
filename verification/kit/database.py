"""The database's file, read by itself, without the daemon's code."""

import sqlite3
from contextlib import closing
from pathlib import Path


def select(database: Path, query: str) -> list[sqlite3.Row]:
    """What a query finds, whoever writes the file meanwhile; nothing while there is no file or no table, or
    while it holds a transaction that a death broke off when it was made (a reader may not roll it back)."""
    if not database.exists():
        return []
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=10)) as connection:
        connection.row_factory = sqlite3.Row
        try:
            return connection.execute(query).fetchall()
        except sqlite3.OperationalError as error:
            if "no such table" in str(error) or error.sqlite_errorname == "SQLITE_READONLY_ROLLBACK":
                return []
            raise
