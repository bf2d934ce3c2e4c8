"""Publishes the outbox's messages to Kafka."""

import time
from collections.abc import Mapping, Sequence

from kafka import KafkaProducer
from kafka.errors import KafkaError
from kafka.producer.future import FutureRecordMetadata

from classifyd.core.errors import MessageTooLarge, PublishError, PublishUnavailable
from classifyd.core.values import Pending
from classifyd.crashpoints import Point, reached
from classifyd.kafka_python import opened
from classifyd.publish.kafka.config import PublisherConfig
from classifyd.publish.kafka.producer import close_producer, explained, left, send


class KafkaPublisher:
    """A `core.ports.Publisher`. It connects when it is first used, and again after anything went wrong: a
    producer that did not get its acknowledgements in time is thrown away with what it still holds.
    """

    def __init__(self, config: PublisherConfig) -> None:
        self._config = config
        self._producer: KafkaProducer | None = None

    def publish(self, messages: Sequence[Pending], timeout: float) -> Mapping[int, PublishError | None]:
        deadline = time.monotonic() + timeout
        try:
            producer = self._connected(deadline)
        except KafkaError as error:
            unavailable = PublishUnavailable(
                f"Kafka does not answer at {self._config.servers} ({error}): check that the broker runs, "
                "and the user, password and certificates in [kafka]"
            )
            return dict.fromkeys((pending.position for pending in messages), unavailable)
        outcomes: dict[int, PublishError | None] = {}
        sent = self._send(producer, messages, deadline, outcomes)
        self._await(sent, deadline, outcomes)
        return outcomes

    def close(self, timeout: float) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            close_producer(producer, timeout)

    def _connected(self, deadline: float) -> KafkaProducer:
        if self._producer is None:
            self._producer = opened(KafkaProducer, self._config.arguments(left(deadline)))
        return self._producer

    def _send(
        self,
        producer: KafkaProducer,
        messages: Sequence[Pending],
        deadline: float,
        outcomes: dict[int, PublishError | None],
    ) -> list[tuple[Pending, FutureRecordMetadata]]:
        """Sends until a topic takes nothing: what follows in that topic is not tried."""
        sent = []
        failed: set[str] = set()
        for pending in messages:
            topic = pending.message.topic
            if topic in failed:
                outcomes[pending.position] = _behind(topic)
                continue
            try:
                sent.append((pending, send(producer, pending.message, deadline)))
                reached(Point.MESSAGE_SENT)
            except PublishError as error:
                failed.add(topic)
                outcomes[pending.position] = error
        return sent

    def _await(
        self,
        sent: Sequence[tuple[Pending, FutureRecordMetadata]],
        deadline: float,
        outcomes: dict[int, PublishError | None],
    ) -> None:
        """Waits for the acknowledgements; after the first that fails, those of its topic count no more."""
        failed: set[str] = set()
        doubtful = False
        for pending, future in sent:
            topic = pending.message.topic
            outcome: PublishError | None = None
            try:
                future.get(timeout=left(deadline))
                reached(Point.MESSAGE_ACKNOWLEDGED)
            except KafkaError as error:
                outcome = explained(topic, error)
                doubtful = doubtful or not isinstance(outcome, MessageTooLarge)
            outcomes[pending.position] = _behind(topic) if topic in failed else outcome
            if outcome is not None:
                failed.add(topic)
        if doubtful:
            self.close(0.0)


def _behind(topic: str) -> PublishUnavailable:
    return PublishUnavailable(f"waits behind an earlier message of topic {topic}")
