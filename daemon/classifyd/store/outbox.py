"""The reading side of the outbox: what waits to be published, and no more of it than is asked for."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack
from heapq import merge
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, select

from classifyd.core.values import Pending
from classifyd.store.failures import translated
from classifyd.store.rows import message_of
from classifyd.store.sqlite import reading_engine
from classifyd.store.tables import outbox

_waits = outbox.c.published_at.is_(None)
_of_topic = (
    select(outbox.c.position, outbox.c.topic, outbox.c.key, outbox.c.headers, outbox.c.value)
    .where(_waits, outbox.c.topic == bindparam("topic"), outbox.c.position > bindparam("after"))
    .order_by(outbox.c.position)
)
_next_topic = select(func.min(outbox.c.topic)).where(_waits, outbox.c.topic > bindparam("last"))
_number = select(func.count()).select_from(outbox).where(_waits)


class OutboxReader:
    """`core.ports.Outbox` over the database at `path`.

    Every question goes through the index of unpublished messages by topic and position, so that neither
    published ones nor those of a topic that fails are ever walked over.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._engine = reading_engine(path)

    def pending(self, after: Mapping[str, int], exclude: Collection[str], max_bytes: int) -> list[Pending]:
        found: list[Pending] = []
        size = 0
        with translated(self._path), self._engine.connect() as connection, ExitStack() as cursors:
            streams = [
                _stream(connection, topic, after.get(topic, 0), cursors)
                for topic in _topics(connection)
                if topic not in exclude
            ]
            for row in merge(*streams, key=lambda row: row.position):
                size += len(row.value) + len(row.headers) + len(row.key or b"")
                if found and size > max_bytes:
                    break
                found.append(Pending(row.position, message_of(row)))
        return found

    def count(self) -> int:
        with translated(self._path), self._engine.connect() as connection:
            return connection.execute(_number).scalar_one()

    def close(self) -> None:
        """Closes its connections."""
        self._engine.dispose()


def _topics(connection: Connection) -> Iterator[str]:
    """Steps from topic to topic through the index, however many messages each has."""
    last = ""
    while (topic := connection.execute(_next_topic, {"last": last}).scalar_one()) is not None:
        yield topic
        last = topic


def _stream(connection: Connection, topic: str, after: int, cursors: ExitStack) -> Iterator[Row[Any]]:
    """The topic's rows one at a time; the cursor is closed with `cursors`, read to its end or not."""
    cursor = connection.execute(_of_topic, {"topic": topic, "after": after})
    cursors.callback(cursor.close)
    return iter(cursor.fetchone, None)  # type: ignore[arg-type]
