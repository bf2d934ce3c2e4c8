"""Publishes messages to Kafka."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kafka import KafkaProducer
from kafka.errors import (
    InvalidTopicError,
    KafkaConfigurationError,
    KafkaError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    TopicAuthorizationFailedError,
)
from kafka.net.compat import KafkaNetClient
from kafka.producer.future import FutureRecordMetadata

from classifyd.core.errors import ConfigurationError, MessageTooLarge, PublishError, PublishUnavailable
from classifyd.core.values import Message, Pending

TOPIC_WAIT = 2.0
"""Seconds that a call waits to learn of a topic: one that is missing must not keep the others waiting."""

# socket.request.max.bytes of a broker is 100 MiB by default; above it, it cuts the connection.
_MAX_REQUEST_SIZE = 100 * 2**20 - 64 * 2**10
_BATCH_SIZE = 256 * 2**10
_LINGER_MS = 2


@dataclass(frozen=True, slots=True)
class PublisherConfig:
    """`connection` holds kafka-python's arguments for every client, `producer` further ones."""

    connection: Mapping[str, Any] = field(repr=False)
    producer: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def arguments(self, bootstrap_timeout: float) -> dict[str, Any]:
        """KafkaProducer's arguments; idempotent, so that its own retries neither repeat nor reorder."""
        return {
            "batch_size": _BATCH_SIZE,
            "linger_ms": _LINGER_MS,
            **self.producer,
            **self.connection,
            "acks": "all",
            "enable_idempotence": True,
            "allow_auto_create_topics": False,
            "max_request_size": _MAX_REQUEST_SIZE,
            "bootstrap_timeout_ms": int(bootstrap_timeout * 1000),
        }

    @property
    def servers(self) -> str:
        """The addresses, for people."""
        servers = self.connection["bootstrap_servers"]
        return servers if isinstance(servers, str) else ", ".join(servers)


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
                f"Kafka does not answer at {self._config.servers} ({error}): check that the broker runs"
            )
            return dict.fromkeys((pending.position for pending in messages), unavailable)
        outcomes: dict[int, PublishError | None] = {}
        failed: dict[str, PublishError] = {}
        sent: list[tuple[Pending, FutureRecordMetadata]] = []
        for pending in messages:
            topic = pending.message.topic
            if topic not in failed:
                try:
                    sent.append((pending, self._send(producer, pending.message, deadline)))
                except KafkaTimeoutError:
                    failed[topic] = _behind(topic)
                    outcomes[pending.position] = PublishUnavailable(
                        f"Kafka topic {topic} does not exist on {self._config.servers}: create it"
                    )
                    continue
                except KafkaError as error:
                    failed[topic] = _behind(topic)
                    outcomes[pending.position] = _explained(topic, error)
                    continue
            outcomes[pending.position] = failed.get(topic)
        self._await(sent, deadline, outcomes)
        return outcomes

    def close(self, timeout: float) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            _close(producer, timeout)

    def _connected(self, deadline: float) -> KafkaProducer:
        if self._producer is None:
            self._producer = _open(self._config.arguments(_left(deadline)))
        return self._producer

    def _send(self, producer: KafkaProducer, message: Message, deadline: float) -> FutureRecordMetadata:
        producer.config["max_block_ms"] = 1000 * min(TOPIC_WAIT, _left(deadline))
        return producer.send(
            message.topic, value=message.value, key=message.key, headers=list(message.headers)
        )

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
            try:
                future.get(timeout=_left(deadline))
            except KafkaError as error:
                too_large = isinstance(error, MessageSizeTooLargeError | RecordListTooLargeError)
                doubtful = doubtful or not too_large
                outcomes[pending.position] = _behind(topic) if topic in failed else _explained(topic, error)
                failed.add(topic)
            else:
                outcomes[pending.position] = _behind(topic) if topic in failed else None
        if doubtful:
            self.close(0.0)


def _open(arguments: Mapping[str, Any]) -> KafkaProducer:
    """A producer that has reached the broker; one whose constructor fails leaves its client behind, which
    is closed here."""
    clients: list[KafkaNetClient] = []

    def remembered(**options: Any) -> KafkaNetClient:
        clients.append(KafkaNetClient(**options))
        return clients[-1]

    try:
        return KafkaProducer(kafka_client=remembered, **arguments)
    except BaseException as error:
        for client in clients:
            client.close()
        if isinstance(error, KafkaConfigurationError | ValueError | TypeError | AssertionError | OSError):
            raise ConfigurationError(f"the settings of [kafka] do not work: {error}") from error
        raise


def _close(producer: KafkaProducer, timeout: float) -> None:
    """Closes within `timeout` seconds, with what is not sent by then given up: kafka-python's own `close`
    gives up closing when the time does not suffice."""
    try:
        producer.close(timeout=timeout)
    except KafkaError:
        producer._sender.force_close()
        producer._sender.join(timeout=1.0)
        producer.close(timeout=0)


def _explained(topic: str, error: KafkaError) -> PublishError:
    if isinstance(error, MessageSizeTooLargeError | RecordListTooLargeError):
        return MessageTooLarge(
            f"a message for topic {topic} is larger than the broker takes (max.message.bytes of the topic, "
            "message.max.bytes of the broker)"
        )
    if isinstance(error, InvalidTopicError):
        return PublishUnavailable(f"{topic!r} is no name for a Kafka topic: correct it in [kafka]")
    if isinstance(error, TopicAuthorizationFailedError):
        return PublishUnavailable(f"the Kafka user may not write to topic {topic}: grant WRITE on it")
    if isinstance(error, KafkaTimeoutError):
        return PublishUnavailable(f"Kafka topic {topic} did not acknowledge in time: check the broker")
    return PublishUnavailable(f"Kafka topic {topic}: {error}")


def _behind(topic: str) -> PublishUnavailable:
    return PublishUnavailable(f"waits behind an earlier message of topic {topic}")


def _left(deadline: float) -> float:
    return max(0.001, deadline - time.monotonic())
