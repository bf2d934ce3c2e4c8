"""A daemon between a broker's topics, an inbox and clients, and all that was put in."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

from kafka import KafkaAdminClient, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import RetriableError
from requests import Response

from tests.integration.kafka.support import make_topic, producing, wait_until
from verification.faults import evidence, oracle
from verification.faults.evidence import Message, Row
from verification.faults.inputs import move_in
from verification.faults.oracle import Answered, Dropped, Inputs, Produced
from verification.kit.broker import Broker
from verification.kit.client import Daemon
from verification.kit.daemon import DaemonProcess
from verification.kit.pictures import jpeg

BOUND = 120.0
PARTITIONS = 2
SESSION = 2.0
"""Seconds of the consumer group's session: an outage is longer than that."""
LATEST = -1
_QUICK = {
    "CLASSIFYD_KAFKA__INPUT__SESSION_TIMEOUT": f"{SESSION}s",
    "CLASSIFYD_KAFKA__INPUT__COMMIT_INTERVAL": "200ms",
    "CLASSIFYD_KAFKA__CONSUMER__REQUEST_TIMEOUT_MS": "3000",
    "CLASSIFYD_KAFKA__PRODUCER__REQUEST_TIMEOUT_MS": "3000",
    "CLASSIFYD_KAFKA__PRODUCER__DELIVERY_TIMEOUT_MS": "5000",
}
"""An outage is noticed by requests that get no answer: after 30 s as kafka-python has it."""

_PICTURE = jpeg("green")


class Site:
    """Topics, a daemon of its own, and what was put in so far. `topics` are configurations by role: pictures,
    outcomes, letters; a role that is None has no topic at first."""

    def __init__(
        self,
        folder: Path,
        broker: Broker,
        settings: Mapping[str, str] | None = None,
        topics: Mapping[str, dict[str, Any] | None] | None = None,
    ) -> None:
        name = uuid4().hex[:8]
        self.broker = broker
        self.group = f"group-{name}"
        self.pictures = f"pictures-{name}"
        self.outcomes = f"outcomes-{name}"
        self.letters = f"{self.pictures}.dead-letter"
        for role in ("pictures", "outcomes", "letters"):
            configuration = (topics or {}).get(role, {})
            if configuration is not None:
                self.make(role, **configuration)
        told = {
            "CLASSIFYD_KAFKA__BOOTSTRAP_SERVERS": broker.bootstrap_servers,
            "CLASSIFYD_KAFKA__INPUT__TOPIC": self.pictures,
            "CLASSIFYD_KAFKA__INPUT__GROUP_ID": self.group,
            "CLASSIFYD_KAFKA__OUTPUT__TOPIC": self.outcomes,
            **_QUICK,
            **(settings or {}),
        }
        self.daemon = DaemonProcess(folder, told)
        self._publishes_requests = told.get("CLASSIFYD_HTTP__PUBLISH") == "true"
        self.dropped: list[Dropped] = []
        self.produced: list[Produced] = []
        self.answered: list[Answered] = []
        self._earlier: list[Produced] = []
        self._number = 0

    def __enter__(self) -> Self:
        self.daemon.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.daemon.__exit__(kind, error, trace)

    @property
    def inputs(self) -> Inputs:
        return Inputs(self.dropped, self.produced)

    def make(self, role: str, partitions: int = PARTITIONS, **configs: str) -> None:
        """Creates the topic of a role."""
        make_topic(self.broker, getattr(self, role), partitions, **_dotted(configs))

    def delete(self, role: str) -> None:
        """Deletes the topic of a role, and waits until it is gone."""
        topic = getattr(self, role)
        with self.administration() as admin:
            admin.delete_topics([topic])
            wait_until(lambda: topic not in admin.list_topics(), f"{topic} gone")

    def replace_pictures(self) -> None:
        """Deletes the input topic and creates another of its name; a record of the earlier one is known by
        its hash from now on, for its place is taken by another."""
        self.delete("pictures")
        self._earlier += self.produced
        self.produced = []
        self.make("pictures")

    def configure(self, role: str, **configs: str) -> None:
        """Changes the configuration of the topic of a role."""
        with self.administration() as admin:
            admin.alter_configs(
                [ConfigResource(ConfigResourceType.TOPIC, getattr(self, role), configs=_dotted(configs))]
            )

    def administration(self) -> KafkaAdminClient:
        return KafkaAdminClient(**self.broker.connection)

    def picture(self, good: bool = True) -> bytes:
        """A picture that is unlike every other; bytes after a JPEG's end are allowed."""
        self._number += 1
        return (_PICTURE if good else b"no picture") + b"%d" % self._number

    def put(self, good: int, bad: int = 0) -> None:
        """So many pictures into the inbox, and as many into the topic."""
        self.drop(good, bad)
        self.produce(good, bad)

    def drop(self, count: int, bad: int = 0) -> None:
        """Moves good pictures and bad ones into the inbox."""
        for good in [True] * count + [False] * bad:
            self.drop_this(self.picture(good), good)

    def drop_this(self, data: bytes, good: bool = True) -> str:
        """Moves this picture into the inbox; its hash."""
        sha256 = evidence.sha256(data)
        self.dropped.append(move_in(self.daemon.inbox, f"{sha256[:12]}.jpg", data, good))
        return sha256

    def produce(self, count: int, bad: int = 0) -> list[Produced]:
        """Sends good records and bad ones, and has them acknowledged."""
        pictures = [(self.picture(good), good) for good in [True] * count + [False] * bad]
        with producing(self.broker) as producer:
            sent = [(producer.send(self.pictures, data), data, good) for data, good in pictures]
            placed = [(future.get(timeout=BOUND), data, good) for future, data, good in sent]
        new = [
            Produced(where.partition, where.offset, evidence.sha256(data), good)
            for where, data, good in placed
        ]
        self.produced += new
        return new

    def produce_record(
        self, value: bytes, headers: Sequence[tuple[str, bytes]] = (), key: bytes | None = None
    ) -> None:
        """Sends one bad record as it is given."""
        with producing(self.broker) as producer:
            where = producer.send(self.pictures, value, key, list(headers)).get(timeout=BOUND)
        self.produced.append(Produced(where.partition, where.offset, evidence.sha256(value), good=False))

    def ask(self) -> int:
        """Has a picture classified over HTTP; its status code."""
        return self.post(self.picture()).status_code

    def post(self, data: bytes) -> Response:
        """The answer to this picture over HTTP."""
        with self.http as client:
            answer = client.post("/classify/resnet", files={"image": data}, params={"top": "1"})
        self.answered.append(Answered(answer.status_code, answer.json().get("id", ""), evidence.sha256(data)))
        return answer

    @property
    def http(self) -> Daemon:
        return Daemon(self.daemon.url)

    def wait_for_rows(self, count: int) -> None:
        self.daemon.wait_until(lambda: self.daemon.count() >= count, BOUND, f"at {count} rows")

    def wait_until_whole(self) -> None:
        """Until everything put in is recorded, published and committed, every file is where it belongs and
        every part is up; no offset passes a hole on the way there."""
        with self.administration() as admin:
            self.daemon.wait_until(lambda: self._whole(admin), BOUND, "whole")

    def _whole(self, admin: KafkaAdminClient) -> bool:
        try:
            offsets = evidence.committed(admin, self.group, self.pictures)
        except RetriableError:  # the broker has just come back
            return False
        rows, earlier = self._rows()
        assert not oracle.offsets(self.inputs, rows, offsets)
        wheres = {TopicPartition(self.pictures, number): LATEST for number in range(PARTITIONS)}
        ends = {where.partition: end.offset for where, end in admin.list_partition_offsets(wheres).items()}
        return (
            len(rows) >= len(self.dropped) + len(self.produced)
            and len(earlier) >= len(self._earlier)
            and all(offsets.get(number, 0) == end for number, end in ends.items())
            and not evidence.unpublished(self.daemon.database)
            and not any(evidence.paths(self.daemon.inbox))
            and self.daemon.ready
        )

    def _rows(self) -> tuple[list[Row], list[Row]]:
        """The rows of files and of records; those of records of an earlier topic apart."""
        hashes = {record.sha256 for record in self._earlier}
        rows = [row for row in evidence.rows(self.daemon.database) if row.source != "http"]
        return [row for row in rows if row.sha256 not in hashes], [
            row for row in rows if row.sha256 in hashes
        ]

    def messages(self, role: str) -> list[Message]:
        """What lies in the topic of a role."""
        with evidence.TopicReader(self.broker.connection, getattr(self, role)) as reader:
            return reader.read()

    def violations(self) -> list[str]:
        """What the oracle finds, of an outcomes topic that was never deleted."""
        rows = evidence.rows(self.daemon.database)
        published = [row for row in rows if self._publishes_requests or row.source != "http"]
        return [*self.violations_at_rest(), *oracle.messages(published, self.messages("outcomes"))]

    def violations_at_rest(self) -> list[str]:
        """What the oracle finds but for the messages of outcomes."""
        rows, earlier = self._rows()
        folders = evidence.folders(self.daemon.inbox, self.daemon.done, self.daemon.failed)
        found = oracle.rows_at_rest(self.inputs, rows)
        found += oracle.files_at_rest(self.inputs, rows, folders)
        found += oracle.dead_letters(self.inputs, rows, self.messages("letters"))
        counted = Counter(row.sha256 for row in earlier)
        found += [f"{one}: {counted[one.sha256]} rows" for one in self._earlier if counted[one.sha256] != 1]
        return found + oracle.rows_of_requests(self.answered, evidence.rows(self.daemon.database))


def outlast_the_session(since: float) -> None:
    """Lets the fault last longer than the group's session; `since` is when it began (monotonic)."""
    time.sleep(max(0.0, since + 1.5 * SESSION - time.monotonic()))


def _dotted(configs: Mapping[str, str]) -> dict[str, str]:
    return {name.replace("_", "."): value for name, value in configs.items()}
