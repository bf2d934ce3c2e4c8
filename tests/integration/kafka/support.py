"""An inlet, a part and a running source, for tests against a real broker."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from uuid import uuid4

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafka.consumer.fetcher import ConsumerRecord

from classifyd.core.gate import Limits
from classifyd.core.values import Delivery, Message
from classifyd.sources.kafka import KafkaConfig, KafkaSource
from tests.unit.sources.kafka.fakes import DONE, FakeInlet, FakePart
from verification.faults import evidence
from verification.kit.broker import Broker

BOUND = 30.0


def wait_until(condition: Callable[[], object], what: str = "the condition", bound: float = BOUND) -> None:
    """Waits for a condition, and fails the test when it does not hold within `bound` seconds."""
    deadline = time.monotonic() + bound
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not hold within {bound} s"
        time.sleep(0.01)


class Running:
    """A source on its own thread."""

    def __init__(self, broker: Broker, topic: str, group: str, **options) -> None:
        self.inlet = FakeInlet(options.pop("items", 10_000))
        self.part = FakePart()
        self.failure: BaseException | None = None
        self._settled: set[int] = set()
        once = options.pop("once", False)
        instance = options.pop("instance", uuid4().hex)
        connection = options.pop("connection", broker.connection)
        config = KafkaConfig(
            connection, topic, group, **({"commit_interval": 0.1, "session_timeout": 6.0} | options)
        )
        self.source = KafkaSource(
            config, self.inlet, instance, self.part, Limits(), lambda: datetime.now(UTC), once
        )
        self.thread = threading.Thread(target=self._run, name="kafka")
        self.thread.start()

    def _run(self) -> None:
        try:
            self.source.run()
        except BaseException as error:  # noqa: BLE001 - handed to the test's own thread
            self.failure = error

    @property
    def offered(self) -> list[Delivery]:
        return self.inlet.offered

    def wait_for(self, count: int) -> list[Delivery]:
        wait_until(lambda: len(self.offered) >= count or self.failure, f"{count} deliveries")
        if self.failure:
            raise self.failure
        return self.offered[:count]

    def settle(self, deliveries: Iterable[Delivery]) -> None:
        """Settles deliveries, each of them once."""
        for delivery in deliveries:
            if id(delivery) not in self._settled:
                self._settled.add(id(delivery))
                delivery.settle(DONE)

    def settle_all(self) -> None:
        self.settle(list(self.offered))

    def end(self) -> None:
        self.source.stop()
        self.thread.join(BOUND)
        assert not self.thread.is_alive(), "the source did not stop"


@contextmanager
def running(broker: Broker, topic: str, group: str, **options) -> Iterator[Running]:
    one = Running(broker, topic, group, **options)
    try:
        yield one
    finally:
        one.end()
    if one.failure:
        raise one.failure


@contextmanager
def administration(broker: Broker) -> Iterator[KafkaAdminClient]:
    admin = KafkaAdminClient(**broker.connection)
    try:
        yield admin
    finally:
        admin.close()


@contextmanager
def producing(broker: Broker, **options) -> Iterator[KafkaProducer]:
    ordinary = {"acks": "all", "max_request_size": 2**24}
    producer = KafkaProducer(**broker.connection, **(ordinary | options))
    try:
        yield producer
    finally:
        producer.close(timeout=10)


def make_topic(broker: Broker, name: str, partitions: int = 4, **configs: str) -> str:
    with administration(broker) as admin:
        admin.create_topics(
            {name: {"num_partitions": partitions, "replication_factor": 1, "configs": configs}},
            wait_for_metadata=True,
        )
    return name


def send_all(broker: Broker, topic: str, values: list[bytes | None], **options) -> None:
    with producing(broker) as producer:
        futures = [
            producer.send(topic, value, key=str(number).encode(), **options)
            for number, value in enumerate(values)
        ]
        for future in futures:
            future.get(timeout=BOUND)


class RawName(str):
    """A header's name that is not UTF-8, as clients in other languages can send it."""

    def encode(self, *_args: object) -> bytes:
        return b"\xff"


def committed(broker: Broker, group: str, topic: str) -> dict[int, int]:
    """The group's offsets by partition."""
    with administration(broker) as admin:
        return evidence.committed(admin, group, topic)


def consumed(broker: Broker, topic: str, count: int) -> list[ConsumerRecord]:
    """What lies in a topic, once that is `count` records."""
    consumer = KafkaConsumer(
        topic, **broker.connection, auto_offset_reset="earliest", metadata_max_age_ms=500
    )
    found: list[ConsumerRecord] = []

    def enough() -> bool:
        found.extend(one for records in consumer.poll(500).values() for one in records)
        return len(found) >= count

    try:
        wait_until(enough, f"{count} records in {topic}")
    finally:
        consumer.close()
    return found


def send_message(broker: Broker, message: Message) -> None:
    with producing(broker) as producer:
        sent = producer.send(message.topic, message.value, message.key, list(message.headers))
        sent.get(timeout=BOUND)
