"""The writing side: one transaction records results, fills the outbox and marks what was published."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from itertools import chain
from pathlib import Path

from sqlalchemy import Connection, bindparam, delete, insert, select, update
from ulid import ULID

from classifyd.core.errors import StoreUnavailable, UnstorableRow
from classifyd.core.times import utc_text
from classifyd.core.values import Message, Result
from classifyd.crashpoints import Point, reached
from classifyd.store.failures import translated
from classifyd.store.reading import recorded
from classifyd.store.rows import OUTBOX_COLUMNS, Values, row_of, row_of_message
from classifyd.store.sqlite import writing_engine
from classifyd.store.tables import instance, outbox, results

_insert_result = insert(results)
_insert_message = insert(outbox).values(dict.fromkeys(OUTBOX_COLUMNS))
_mark = (
    update(outbox)
    .where(
        outbox.c.position.between(bindparam("first"), bindparam("last")),
        outbox.c.published_at.is_(None),
    )
    .values(published_at=bindparam("moment"), value=None)
)
_prune = delete(outbox).where(
    outbox.c.position.in_(
        select(outbox.c.position)
        .where(outbox.c.published_at < bindparam("before"))
        .order_by(outbox.c.published_at)
        .limit(bindparam("most"))
    )
)


class Writer:
    """`core.ports.ResultStore` over the database at `path`; `clock` gives aware moments.

    The value of a message is cleared when it is marked: the broker and the result have what it says.
    """

    def __init__(self, path: Path, clock: Callable[[], datetime]) -> None:
        self._path = path
        self._engine = writing_engine(path)
        # Kept from transaction to transaction: taking it from the engine costs as much as three statements.
        self._connection: Connection | None = None
        # Open as long as the writer is, or a file that is made in place of a deleted one could get its inode.
        self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._opened = os.fstat(self._file)
        self._clock = clock
        # Compiled once, and given to the driver with tuples: SQLAlchemy's own way with statements and their
        # parameters costs more than SQLite's with the rows.
        self._insert_result = str(_insert_result.compile(self._engine))
        self._insert_message = str(_insert_message.compile(self._engine))

    def write(
        self, entries: Sequence[tuple[Result, Sequence[Message]]], published: Sequence[int]
    ) -> list[Result]:
        rows = [row_of(result) for result, _ in entries]
        messages = [[row_of_message(result.id, one) for one in several] for result, several in entries]
        try:
            with self._transaction() as connection:
                self._insert(connection, rows, messages)
                self._mark(connection, published)
            return [result for result, _ in entries]
        except UnstorableRow:
            # Either the data is at fault, or an origin is recorded already, which is so seldom that it is
            # asked only now. Nothing comes between question and answer: the transaction holds the only
            # write lock.
            with self._transaction() as connection:
                standing = recorded(connection, {result.origin.key for result, _ in entries})
                new: list[int] = []
                for number, (result, _) in enumerate(entries):
                    if result.origin.key not in standing:
                        standing[result.origin.key] = result
                        new.append(number)
                self._insert(
                    connection, [rows[number] for number in new], [messages[number] for number in new]
                )
                self._mark(connection, published)
            return [standing[result.origin.key] for result, _ in entries]

    def prune_outbox(self, before: datetime, limit: int) -> int:
        with self._transaction() as connection:
            deleted = connection.execute(_prune, {"before": utc_text(before), "most": limit}).rowcount
            if deleted:
                reached(Point.OUTBOX_PRUNED)
        if deleted:
            reached(Point.PRUNING_COMMITTED)
        return deleted

    def instance(self) -> str:
        """The ULID that names the daemon of this database; made when it is first asked for.

        Raises StoreUnavailable."""
        with self._transaction() as connection:
            known = connection.execute(select(instance.c.id)).scalar_one_or_none()
            if known is None:
                known = str(ULID.from_datetime(self._clock()))
                connection.execute(insert(instance), {"id": known})
                reached(Point.INSTANCE_INSERTED)
        reached(Point.INSTANCE_MADE)
        return known

    def close(self) -> None:
        """Closes its connection. May be called twice; once every other connection of this process to the
        file is closed, for that lets go of all locks that they hold (fcntl(2))."""
        self._disconnect()
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _insert(self, connection: Connection, rows: list[Values], messages: list[list[Values]]) -> None:
        """New results, and the messages of each."""
        driver = connection.connection.cursor()
        if rows:
            driver.executemany(self._insert_result, rows)
            reached(Point.RESULTS_INSERTED)
        if waiting := list(chain.from_iterable(messages)):
            driver.executemany(self._insert_message, waiting)
            reached(Point.MESSAGES_INSERTED)

    def _mark(self, connection: Connection, published: Sequence[int]) -> None:
        if published:
            moment = utc_text(self._clock())
            runs = [{"first": first, "last": last, "moment": moment} for first, last in _runs(published)]
            connection.execute(_mark, runs)
            reached(Point.MESSAGES_MARKED)

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        try:
            self._refuse_another_file()
            with translated(self._path):
                if self._connection is None:
                    self._connection = self._engine.connect()
                with self._connection.begin():
                    yield self._connection
                    self._refuse_another_file()
        except StoreUnavailable:
            # The connection may be of no use any more: the next transaction opens another.
            self._disconnect()
            raise

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        self._engine.dispose()

    def _refuse_another_file(self) -> None:
        """SQLite would go on writing a file that has lost its name, and would take a write-ahead log that
        lies beside another file for that one's."""
        if not self._in_place():
            raise StoreUnavailable(
                f"{self._path} was removed or replaced under the daemon: put it back,"
                " or start the daemon again"
            )

    def _in_place(self) -> bool:
        try:
            return self._file >= 0 and os.path.samestat(self._opened, self._path.stat())
        except OSError:
            return False


def _runs(positions: Sequence[int]) -> Iterator[tuple[int, int]]:
    """First and last of each unbroken run: what is published together was mostly written together."""
    ordered = sorted(positions)
    first = last = ordered[0]
    for position in ordered[1:]:
        if position > last + 1:
            yield first, last
            first = position
        last = position
    yield first, last
