"""Sending by kafka-python's producer, closing it, and what its errors mean."""

import time

from kafka import KafkaProducer
from kafka.errors import (
    InvalidTopicError,
    KafkaError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    TopicAuthorizationFailedError,
)
from kafka.producer.future import FutureRecordMetadata

from classifyd.core.errors import MessageTooLarge, PublishError, PublishUnavailable
from classifyd.core.values import Message

TOPIC_WAIT = 2.0
"""Seconds that a message waits to learn of its topic: one that is missing must not keep others waiting."""


def send(producer: KafkaProducer, message: Message, deadline: float) -> FutureRecordMetadata:
    """Begins to send, by a monotonic deadline. Raises PublishError when the topic takes nothing now."""
    producer.config["max_block_ms"] = 1000 * min(TOPIC_WAIT, left(deadline))
    try:
        return producer.send(
            message.topic, value=message.value, key=message.key, headers=list(message.headers)
        )
    except KafkaTimeoutError as error:
        raise PublishUnavailable(f"Kafka topic {message.topic} does not exist: create it") from error
    except KafkaError as error:
        raise explained(message.topic, error) from error


def close_producer(producer: KafkaProducer, timeout: float) -> None:
    """Closes within `timeout` seconds, with what is not sent by then given up: kafka-python's own `close`
    gives up closing when the time does not suffice."""
    try:
        producer.close(timeout=timeout)
    except KafkaError:
        producer._sender.force_close()
        producer._sender.join(timeout=1.0)
        producer.close(timeout=0)


def explained(topic: str, error: KafkaError) -> PublishError:
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


def left(deadline: float) -> float:
    """Seconds until a monotonic deadline; never none at all, which kafka-python takes for something else."""
    return max(0.001, deadline - time.monotonic())
