"""Sends many messages for an operator, each with its own answer."""

import time
from collections import deque
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Self, TypeVar

from kafka import KafkaAdminClient, KafkaProducer
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import KafkaError
from kafka.producer.future import FutureRecordMetadata

from classifyd.core.errors import PublishError, PublishUnavailable
from classifyd.core.values import Message
from classifyd.kafka_python import opened
from classifyd.publish.kafka.config import PublisherConfig
from classifyd.publish.kafka.producer import close_producer, explained, send

CONNECT_TIMEOUT = 10.0
ACKNOWLEDGE_TIMEOUT = 30.0
CLOSE_TIMEOUT = 5.0
WINDOW = 16 * 2**20
"""Bytes of values that may wait for their acknowledgement."""

T = TypeVar("T")


class Sender:
    """A connected producer. Raises PublishUnavailable when the broker does not answer."""

    def __init__(self, config: PublisherConfig) -> None:
        self._config = config
        try:
            self._producer = opened(KafkaProducer, config.arguments(CONNECT_TIMEOUT))
        except KafkaError as error:
            raise PublishUnavailable(f"Kafka does not answer at {config.servers}: {error}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        close_producer(self._producer, CLOSE_TIMEOUT)

    def send_all(self, messages: Iterable[tuple[T, Message]]) -> Iterator[tuple[T, PublishError | None]]:
        """Sends messages, each with something to know it by; answers in order, None for acknowledged.

        Begins no other behind one that is refused with PublishUnavailable: the rest would fare no better.
        """
        window: deque[tuple[T, int, str, FutureRecordMetadata | PublishError]] = deque()
        under_way = 0
        for known_by, message in messages:
            begun = self._begin(message)
            window.append((known_by, len(message.value), message.topic, begun))
            if isinstance(begun, PublishUnavailable):
                break
            under_way += len(message.value)
            while under_way > WINDOW:
                under_way -= window[0][1]
                yield self._end(*window.popleft())
        while window:
            yield self._end(*window.popleft())

    def limit(self, topic: str) -> int | None:
        """The largest record that a topic takes, in bytes; None where the broker does not tell."""
        known = KafkaAdminClient.DEFAULT_CONFIG.keys()
        given = {**self._config.producer, **self._config.connection}
        arguments = {name: value for name, value in given.items() if name in known}
        try:
            with KafkaAdminClient(**arguments) as admin:
                resource = ConfigResource(ConfigResourceType.TOPIC, topic)
                told = admin.describe_configs([resource], config_filter="all")
        except KafkaError:
            return None
        return int(told["topic"][topic]["max.message.bytes"]["value"])

    def _begin(self, message: Message) -> FutureRecordMetadata | PublishError:
        try:
            return send(self._producer, message, time.monotonic() + ACKNOWLEDGE_TIMEOUT)
        except PublishError as error:
            return error

    def _end(
        self, known_by: T, _size: int, topic: str, answer: FutureRecordMetadata | PublishError
    ) -> tuple[T, PublishError | None]:
        if isinstance(answer, PublishError):
            return known_by, answer
        try:
            answer.get(timeout=ACKNOWLEDGE_TIMEOUT)
        except KafkaError as error:
            return known_by, explained(topic, error)
        return known_by, None
