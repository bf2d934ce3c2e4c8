"""9: a database of a million rows: pages, counts, and how fast more is inserted than into an empty one."""

import os
import random
import sqlite3
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from itertools import count
from pathlib import Path
from statistics import median

from ulid import ULID

from classifyd.core.values import Candidate, Filter, Message, Origin, Prediction, Result, Source
from classifyd.store.database import Database
from classifyd.store.tables import outbox, results
from verification.bench.figures import Figure, at_least, at_most, side_by_side
from verification.bench.scale import Scale

GROUPS = (32, 256)
"""Rows in a transaction: as many as a batch, which is what a backlog comes to, and the recorder's most."""
LABELS = 1000
PAGE = 100
CLAIM = 256
"""Pictures that one folder of claims holds."""
SHARE = 80
"""A round inserts this part of the full table's rows: enough at a million that the write-ahead log is folded
into the file at least once, whatever was in the table."""
MILLISECONDS = 1000

_numbers = count(10**8)
_noise = random.Random(0)


def measure(scale: Scale, folder: Path) -> list[Figure]:
    """Insert rates of a full and an empty table side by side, and the queries that people ask."""
    path = folder / "full.db"
    _fill(path, scale.rows)
    full = _open(path)
    empty = (folder / f"empty-{number}.db" for number in count())
    page = full.results.page
    try:
        known = page(Filter(), 1)[0]
        return [
            *(
                side_by_side(
                    f"insert {group} at a time, table full against empty",
                    "rows/s",
                    partial(_insert, full, group, scale.rows // SHARE),
                    partial(_insert_into_new, empty, group, scale.rows // SHARE),
                    scale.rounds,
                    at_least(0.8),
                )
                for group in GROUPS
            ),
            _query("newest first", lambda: page(Filter(), PAGE), scale),
            _query("newest of a label", lambda: page(Filter(label="label 7"), PAGE), scale),
            _query("of one hash", lambda: page(Filter(sha256=known.sha256), PAGE), scale),
            _query("count by label", lambda: _count_by_label(path), scale),
        ]
    finally:
        full.close()


def _open(path: Path) -> Database:
    return Database.open(f"sqlite:///{path}", lambda: datetime.now(UTC))


def _fill(path: Path, rows: int) -> None:
    """Makes a database of so many rows whose messages are published. They are varied copies of one that the
    store wrote, made by SQLite in a quarter of the time."""
    database = _open(path)
    database.store.write([_entry()], ())
    database.store.write((), [one.position for one in database.outbox.pending({}, (), 1)])
    database.close()
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("PRAGMA cache_size = -500000")
        connection.execute("BEGIN")
        connection.execute(
            "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?)"
            f" INSERT INTO results SELECT {_varied(results.columns.keys(), _RESULT)}"
            " FROM (SELECT * FROM results LIMIT 1), numbers",
            (rows - 1,),
        )
        connection.execute(
            f"INSERT INTO outbox SELECT {_varied(outbox.columns.keys(), _MESSAGE)} FROM results,"
            " (SELECT * FROM outbox LIMIT 1) AS message WHERE results.id <> message.result_id"
        )
        connection.execute("COMMIT")
    finally:
        connection.close()


_RESULT = {
    "id": "printf('01JDB%021d', n)",
    "origin": f"printf('folder:%026d/%07d.jpg', n / {CLAIM}, n)",
    "sha256": "lower(hex(randomblob(32)))",
    "label": f"printf('label %d', abs(random()) % {LABELS})",
}
_MESSAGE = {"position": "NULL", "result_id": "results.id"} | {
    name: f"message.{name}" for name in ("topic", "key", "headers", "value", "published_at")
}


def _varied(columns: list[str], how: dict[str, str]) -> str:
    return ", ".join(how.get(name, f'"{name}"') for name in columns)


def _insert_into_new(paths: Iterator[Path], group: int, rows: int) -> float:
    database = _open(next(paths))
    try:
        return _insert(database, group, rows)
    finally:
        database.close()


def _insert(database: Database, group: int, rows: int) -> float:
    """Rows a second, each with its message for the outbox, so many in a transaction."""
    seconds, groups = 0.0, max(1, rows // group)
    for _ in range(groups):
        entries = [_entry() for _ in range(group)]
        started = time.monotonic()
        database.store.write(entries, ())
        seconds += time.monotonic() - started
    return groups * group / seconds


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


def _entry() -> tuple[Result, tuple[Message]]:
    """A picture like others, but for its name, its hash and its label, with a message of the usual size."""
    number, label = next(_numbers), _noise.randrange(LABELS)
    now = datetime.now(UTC)
    name = f"{number}.jpg"
    top = (Candidate(label, f"label {label}", 0.9), Candidate(1, "label 1", 0.1))
    result = Result(
        id=str(ULID()),
        origin=Origin(Source.FOLDER, f"folder:{number // CLAIM:026}/{name}", name=name, path=f"album/{name}"),
        outcome=Prediction(top, "resnet", "1"),
        model="resnet",
        sha256=os.urandom(32).hex(),
        size_bytes=51_000,
        width=387,
        height=302,
        received_at=now,
        classified_at=now,
        stored_path=f"/data/done/2026-01-31/album/{name}",
    )
    return result, (Message("outcomes", name.encode(), (("ce_id", result.id.encode()),), b"x" * 900),)
