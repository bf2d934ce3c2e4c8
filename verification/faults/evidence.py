"""What really is: the database's file, the folders and the topics, read without any of the daemon's code."""

import hashlib
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import unquote_to_bytes

import orjson
from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition

from verification.kit.database import select

SIDECAR = ".error.json"
CLAIMS = ".classifyd"
LOCKS = ".lock"
TRIAL = ".classifyd-check-"
"""How the names begin of what a start tries a folder out with; one that was killed meanwhile leaves it, and
one that comes a minute later or more removes it."""
SILENCE = 120.0
"""Seconds without a record, where one must come, after which the broker is taken for gone."""

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
class Folders:
    """The files below each folder."""

    inbox: Sequence[Found]
    done: Sequence[Found]
    failed: Sequence[Found]
    sidecars: frozenset[Path] = frozenset()


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
    return [Row(*row) for row in select(database, f"SELECT {_COLUMNS} FROM results ORDER BY id")]


def unpublished(database: Path) -> int:
    """How many rows of the outbox wait."""
    found = select(database, "SELECT count(*) FROM outbox WHERE published_at IS NULL")
    return int(found[0][0]) if found else 0


def instance(database: Path) -> str | None:
    """The name that the daemon of a database gave itself; None while it has none."""
    found = select(database, "SELECT id FROM instance")
    return str(found[0][0]) if found else None


def folders(inbox: Path, done: Path, failed: Path) -> Folders:
    """What lies in a daemon's folders, while nobody moves it."""
    return Folders(files(inbox), files(done), files(failed), frozenset(sidecars(failed)))


def files(folder: Path) -> list[Found]:
    """The `paths` below a folder with what they hold, less those that somebody moves just now."""
    found: list[Found] = []
    for path in paths(folder):
        with suppress(FileNotFoundError):
            found.append(Found(path, sha256(path.read_bytes())))
    return found


def paths(folder: Path) -> Iterator[Path]:
    """The files below a folder, less sidecars and the locks of instances. Daemons may move them meanwhile:
    `os.walk`, unlike `rglob`, bears that folders vanish."""
    for where, _folders, names in os.walk(folder):
        for name in names:
            path = Path(where, name)
            lock = name.endswith(LOCKS) and path.parent.name == CLAIMS
            if not lock and not name.endswith(SIDECAR):
                yield path


def claims(inbox: Path) -> list[Path]:
    """The claimed files."""
    return list(paths(inbox / CLAIMS / "claimed"))


def claimed_keys(inbox: Path) -> set[str]:
    """The origins of the claimed files, whose names need no encoding."""
    claimed = inbox / CLAIMS / "claimed"
    return {"folder:" + "/".join(path.relative_to(claimed).parts[1:]) for path in claims(inbox)}


def sidecars(folder: Path) -> set[Path]:
    """The sidecars below a folder."""
    return {path for path in folder.rglob(f"*{SIDECAR}") if path.is_file()}


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


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
        """As `read`, one by one as kafka-python gives them. Raises TimeoutError when none comes any more."""
        ends = self._consumer.end_offsets(self._partitions)
        heard = time.monotonic()
        while any(self._consumer.position(where) < ends[where] for where in self._partitions):
            for records in self._consumer.poll(timeout_ms=1000).values():
                yield from records
                heard = time.monotonic()
            if time.monotonic() - heard > SILENCE:
                raise TimeoutError(f"no record of {self._partitions} came for {SILENCE:.0f} s")

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
