"""What really is: the database's file, the folders and the topics, read without any of the daemon's code."""

import hashlib
import os
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import unquote_to_bytes

import orjson
from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition

SIDECAR = ".error.json"
CLAIMS = ".classifyd"
LOCKS = ".lock"

_COLUMNS = (
    "id, origin, source, status, path, stored_path, topic, partition, offset, sha256, error_code,"
    " received_at, classified_at"
)


@dataclass(frozen=True, slots=True)
class Row:
    """A row of `results`, as far as the oracle asks."""

    id: str
    origin: str
    source: str
    status: str
    path: str | None
    stored_path: str | None
    topic: str | None
    partition: int | None
    offset: int | None
    sha256: str | None
    error_code: str | None
    received_at: str = ""
    classified_at: str = ""

    @property
    def stored(self) -> Path | None:
        """`stored_path` as a path of this file system."""
        return None if self.stored_path is None else Path(os.fsdecode(unquote_to_bytes(self.stored_path)))


@dataclass(frozen=True, slots=True)
class Found:
    """A file and the SHA-256 of what it holds, in hexadecimal."""

    path: Path
    sha256: str


@dataclass(frozen=True, slots=True)
class Message:
    """A record of the output topic, or of the dead-letter topic."""

    headers: dict[str, bytes]
    key: bytes | None
    value: bytes | None

    @property
    def id(self) -> str:
        """The `ce_id`: the result's."""
        return self.headers["ce_id"].decode()

    @property
    def document(self) -> dict[str, Any]:
        """The value of an outcome's message."""
        document: dict[str, Any] = orjson.loads(self.value or b"{}")
        return document


def rows(database: Path) -> list[Row]:
    """All results, oldest first; none while there is no table. The daemon may run meanwhile."""
    return [Row(*row) for row in _select(database, f"SELECT {_COLUMNS} FROM results ORDER BY id")]


def unpublished(database: Path) -> int:
    """How many rows of the outbox wait."""
    found = _select(database, "SELECT count(*) FROM outbox WHERE published_at IS NULL")
    return int(found[0][0]) if found else 0


def _select(database: Path, query: str) -> list[tuple[Any, ...]]:
    if not database.exists():
        return []
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=10)
    try:
        return connection.execute(query).fetchall()
    except sqlite3.OperationalError as error:
        if "no such table" in str(error):
            return []
        raise
    finally:
        connection.close()


def files(folder: Path) -> list[Found]:
    """The regular files below a folder, less sidecars and the locks of instances. Only while nobody moves
    them, or with the understanding that one under way may be missed."""
    return [Found(path, sha256(path.read_bytes())) for path in _walk(folder)]


def sidecars(folder: Path) -> set[Path]:
    """The sidecars below a folder."""
    return {path for path in folder.rglob(f"*{SIDECAR}") if path.is_file()}


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _walk(folder: Path) -> Iterator[Path]:
    for where, _folders, names in os.walk(folder):
        for name in names:
            path = Path(where, name)
            lock = name.endswith(LOCKS) and path.parent.name == CLAIMS
            if not lock and not name.endswith(SIDECAR):
                yield path


class TopicReader:
    """An independent consumer of a whole topic, in no group, that reads what is committed. `connection` are
    kafka-python's arguments."""

    def __init__(self, connection: dict[str, Any], topic: str) -> None:
        self._consumer = KafkaConsumer(
            **connection, isolation_level="read_committed", auto_offset_reset="earliest", group_id=None
        )
        numbers = sorted(self._consumer.partitions_for_topic(topic) or ())
        self._partitions = [TopicPartition(topic, number) for number in numbers]
        self._consumer.assign(self._partitions)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def read(self) -> list[Message]:
        """What came since the last call, to the log's present end."""
        return [Message(dict(one.headers), one.key, one.value) for one in self.records()]

    def records(self) -> Iterator[Any]:
        """As `read`, one by one as kafka-python gives them."""
        ends = self._consumer.end_offsets(self._partitions)
        while any(self._consumer.position(where) < ends[where] for where in self._partitions):
            for records in self._consumer.poll(timeout_ms=1000).values():
                yield from records

    def close(self) -> None:
        self._consumer.close()


def committed(admin: KafkaAdminClient, group: str, topic: str) -> dict[int, int]:
    """A group's committed offsets by partition."""
    offsets = admin.list_group_offsets(group)
    found = offsets.get(group, offsets)
    return {
        where.partition: offset.offset
        for where, offset in found.items()
        if isinstance(where, TopicPartition) and where.topic == topic
    }
