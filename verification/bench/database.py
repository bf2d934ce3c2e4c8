"""9: a database of a million rows: pages, counts, and how fast more is inserted."""

import sqlite3
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from ulid import ULID

from classifyd.core.values import Candidate, Filter, Message, Origin, Prediction, Result, Source
from classifyd.store.database import Database
from verification.bench.figures import Figure, at_least, at_most
from verification.bench.scale import Scale

GROUP = 256
"""Rows in a transaction, as in the recorder's largest."""
LABELS = [f"label {number}" for number in range(1000)]
PAGE = 100
EDGE = 10
"""The first and the last tenth of that many per cent of the rows are compared."""
MILLISECONDS = 1000


def measure(scale: Scale, folder: Path) -> list[Figure]:
    """Insert rates on an empty and on a full table, and the queries that people ask."""
    path = folder / "classifyd.db"
    database = Database.open(f"sqlite:///{path}", lambda: datetime.now(UTC))
    try:
        rates = [_insert(database, start, GROUP) for start in range(0, scale.rows, GROUP)]
        edge = max(1, len(rates) // EDGE)
        first, last = median(rates[:edge]), median(rates[-edge:])
        page = database.results.page
        return [
            Figure("insert, table full against empty", "rows/s", last, first, last / first, at_least(0.8)),
            _query("newest first", lambda: page(Filter(), PAGE), scale),
            _query("newest of a label", lambda: page(Filter(label=LABELS[7]), PAGE), scale),
            _query("count by label", lambda: _count_by_label(path), scale),
        ]
    finally:
        database.close()


def _insert(database: Database, start: int, count: int) -> float:
    """Rows a second of one transaction, each with its message for the outbox."""
    entries = [(_result(start + number), (_MESSAGE,)) for number in range(count)]
    started = time.monotonic()
    database.store.write(entries, ())
    return count / (time.monotonic() - started)


def _query(name: str, ask: Callable[[], object], scale: Scale) -> Figure:
    def took() -> float:
        started = time.monotonic()
        ask()
        return MILLISECONDS * (time.monotonic() - started)

    return Figure(
        f"{name}, {scale.rows:,} rows", "ms", median(took() for _ in range(scale.rounds)), target=at_most(50)
    )


def _count_by_label(path: Path) -> list[tuple[str, int]]:
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        return connection.execute("SELECT label, count(*) FROM results GROUP BY label").fetchall()
    finally:
        connection.close()


def _result(number: int) -> Result:
    label = number % len(LABELS)
    now = datetime.now(UTC)
    name = f"{number:07d}.jpg"
    return Result(
        id=str(ULID()),
        origin=Origin(Source.FOLDER, f"folder:{number}/{name}", name=name, path=f"album/{name}"),
        outcome=Prediction(
            (Candidate(label, LABELS[label], 0.9), Candidate(1, LABELS[1], 0.1)), "resnet", "1"
        ),
        model="resnet",
        sha256=f"{number:064x}",
        size_bytes=51_000,
        width=387,
        height=302,
        received_at=now,
        classified_at=now,
        stored_path=f"/data/done/album/{name}",
    )


_MESSAGE = Message("outcomes", b"album/picture.jpg", (("ce_specversion", b"1.0"),), b"x" * 600)
