"""A database in a folder of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import event

from classifyd.store import Database
from classifyd.store.sqlite import connect
from tests.unit.store.samples import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "classifyd.db"


@pytest.fixture
def url(path: Path) -> str:
    return f"sqlite:///{path}"


@pytest.fixture
def database(url: str, clock: Clock) -> Iterator[Database]:
    opened = Database.open(url, clock)
    yield opened
    opened.close()


@pytest.fixture
def plans(database: Database, path: Path) -> Iterator[list[str]]:
    """SQLite's plans of the statements that follow."""
    connection = connect(path, "ro")
    found: list[str] = []

    def explain(_connection, _cursor, statement, parameters, _context, many):
        if many or statement.startswith("BEGIN"):
            return
        rows = connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters).fetchall()
        found.append(" ".join(row[3] for row in rows))

    for side in (database.outbox, database.store, database.results):
        event.listen(side._engine, "before_cursor_execute", explain)
    yield found
    connection.close()
