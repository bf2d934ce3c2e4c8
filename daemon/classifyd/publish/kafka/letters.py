"""Reads dead letters for an operator, each of them once."""

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError
from kafka.structs import OffsetAndMetadata

from classifyd.core.errors import ConfigurationError, PublishUnavailable
from classifyd.core.values import Record

BOOTSTRAP_MS = 10_000
ANSWER_MS = 10_000
POLL_MS = 500
SILENCE = 60.0
"""Seconds without a record after which the broker is taken to be away."""
_FETCH_BYTES = 16 * 2**20


class Letters:
    """The letters of a topic that its group has not seen yet, up to where the topic ended when opened."""

    def __init__(self, consumer: KafkaConsumer, topic: str) -> None:
        self._consumer = consumer
        numbers = consumer.partitions_for_topic(topic)
        if not numbers:
            raise ConfigurationError(
                f"Kafka topic {topic} does not exist, so there are no dead letters in it"
            )
        self._wheres = [TopicPartition(topic, number) for number in sorted(numbers)]
        consumer.assign(self._wheres)
        self._ends = consumer.end_offsets(self._wheres, timeout_ms=ANSWER_MS)

    def batches(self) -> Iterator[list[Record]]:
        """The letters, some at a time. A batch is not read again once `seen` was called after it."""
        heard = time.monotonic()
        while not self._at_end():
            polled = self._consumer.poll(timeout_ms=POLL_MS)
            if polled:
                heard = time.monotonic()
                yield [_record(one) for records in polled.values() for one in records]
            elif time.monotonic() - heard > SILENCE:
                raise PublishUnavailable(f"Kafka stopped answering for {SILENCE:.0f} s: check the broker")

    def seen(self, but: Iterable[Record] = ()) -> None:
        """Commits what was read, in each partition up to the first of the letters `but`.

        Raises PublishUnavailable when the broker does not take it.
        """
        positions = {where: self._consumer.position(where, timeout_ms=ANSWER_MS) for where in self._wheres}
        for letter in but:
            where = TopicPartition(letter.topic, letter.partition)
            position = positions[where]
            positions[where] = letter.offset if position is None else min(position, letter.offset)
        try:
            self._consumer.commit(
                {
                    where: OffsetAndMetadata(position, "", -1)
                    for where, position in positions.items()
                    if position is not None
                },
                timeout_ms=ANSWER_MS,
            )
        except KafkaError as error:
            raise PublishUnavailable(f"Kafka does not note what was read: {error}") from error

    def _at_end(self) -> bool:
        return all(
            (self._consumer.position(where, timeout_ms=ANSWER_MS) or 0) >= self._ends[where]
            for where in self._wheres
        )


@contextmanager
def open_letters(connection: Mapping[str, Any], topic: str, group_id: str) -> Iterator[Letters]:
    """The letters of `topic` that the group `group_id` has not seen. `connection` is KafkaConsumer's
    arguments. Raises PublishUnavailable while the broker does not answer, and ConfigurationError where the
    topic does not exist."""
    try:
        consumer = KafkaConsumer(
            **connection,
            group_id=group_id,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            allow_auto_create_topics=False,
            bootstrap_timeout_ms=BOOTSTRAP_MS,
            fetch_max_bytes=_FETCH_BYTES,
            max_partition_fetch_bytes=_FETCH_BYTES,
        )
        try:
            yield Letters(consumer, topic)
        finally:
            consumer.close(autocommit=False, timeout_ms=ANSWER_MS)
    except KafkaError as error:
        raise PublishUnavailable(f"Kafka: {error}: check the broker and [kafka]") from error


def _record(one: Any) -> Record:
    return Record(one.topic, one.partition, one.offset, one.key, one.value, tuple(one.headers))
