"""The outbox's questions go through its index, so that a million published messages cost nothing."""

import sqlite3

import pytest
from sqlalchemy import event

from classifyd.core.values import Message
from classifyd.store import outbox as module
from classifyd.store.sqlite import connect
from tests.unit.store.samples import NOON, message, result


@pytest.mark.parametrize(
    "question",
    [
        lambda outbox: outbox.pending({"results": 1}, ["dead"], 1000),
        lambda outbox: outbox.count(),
    ],
    ids=["pending", "count"],
)
def test_every_question_uses_the_index_of_what_is_unpublished(database, plans, question):
    database.store.write([(result("a"), (message(), message(topic="dead")))], ())
    plans.clear()
    question(database.outbox)
    assert plans
    assert all("INDEX outbox_unpublished" in plan for plan in plans)
    assert not any("TEMP B-TREE" in plan for plan in plans)


def test_pruning_uses_the_index_of_what_is_published(database, plans):
    database.store.prune_outbox(NOON, 10)
    (plan,) = plans
    assert "INDEX outbox_published" in plan


def test_the_value_of_a_published_message_is_cleared(database, path):
    database.store.write([(result("a"), (message(b"x" * 1000), message(b"waits")))], ())
    database.store.write([], [database.outbox.pending({}, (), 1)[0].position])
    with sqlite3.connect(path) as connection:
        rows = connection.execute("SELECT value, published_at FROM outbox ORDER BY position").fetchall()
    connection.close()
    assert rows == [(None, "2026-01-31T12:00:00.000Z"), (b"waits", None)]


def test_no_more_rows_are_fetched_than_the_bytes_allow(database, monkeypatch):
    database.store.write([(result("a"), [Message("results", None, (), b"x" * 8)] * 50)], ())
    seen: list[int] = []
    read = module.message_of
    monkeypatch.setattr(module, "message_of", lambda row: seen.append(row.position) or read(row))
    database.outbox.pending({}, (), 30)
    assert len(seen) == 3


def test_reading_leaves_no_transaction_open(database, path):
    """Or the write-ahead log could not be folded into the file."""
    for number in range(20):
        database.store.write([(result(f"{number}", number=number), [message(b"x" * 10)] * 3)], ())
        assert len(database.outbox.pending({}, (), 10)) == 1
        database.ledger.known(["folder:0"])
    connection = connect(path, "rw")
    busy, frames, folded = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    connection.close()
    assert (busy, frames, folded) == (0, 0, 0)


def test_what_was_published_together_is_marked_in_one_step_and_nothing_between_is(database, path):
    database.store.write([(result("a"), [message()] * 9)], ())
    marks: list[str] = []
    event.listen(
        database.store._engine,
        "before_cursor_execute",
        lambda _connection, _cursor, _statement, parameters, *_: marks.append(parameters),
    )
    database.store.write([], [9, 2, 1, 3, 7, 3])
    (_begin, runs) = marks
    assert [run[-2:] for run in runs] == [(1, 3), (7, 7), (9, 9)]
    assert [one.position for one in database.outbox.pending({}, (), 10**6)] == [4, 5, 6, 8]
