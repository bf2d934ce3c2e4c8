"""The loop over an open consumer: deliver, pause or resume, poll, commit."""

import time
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import (
    FencedInstanceIdError,
    IllegalStateError,
    KafkaError,
    KafkaTimeoutError,
    LogTruncationError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
)

from classifyd.core.errors import ConfigurationError
from classifyd.core.ports import Part
from classifyd.crashpoints import Point, reached
from classifyd.sources.kafka import client, unpacking
from classifyd.sources.kafka.commits import Commits, Rebalances, is_of_another
from classifyd.sources.kafka.config import KafkaConfig
from classifyd.sources.kafka.handover import Handover
from classifyd.sources.kafka.partitions import Partition, Partitions
from classifyd.sources.kafka.provenance import Provenance
from classifyd.sources.kafka.unreadable import Unreadable
from classifyd.telemetry import emit, metrics
from classifyd.telemetry.kafka import OffsetReset, RecordsSkipped

POLL = 0.1
"""Seconds that a turn waits for records, and for credit: how soon a request to stop is seen."""
TEND_EVERY = 1.0
"""Seconds between two looks at its health and at what is left, at most, however rarely it commits."""
ANSWER = 5.0
"""Seconds that a question to the broker may take."""
CLOSE = 2.0
PATIENCE = 3.0
"""Seconds of trouble before it is told: the first metadata and an election take one or two."""
REREAD = 60.0
"""Seconds until what could not be read is fetched again: it may have been damaged on its way, or expire."""
ASK_AGAIN = 1.0
"""Seconds until records are fetched again of which nobody told whether they are of the same topic still."""
_TAKEN_AWAY = (KeyError, IllegalStateError)
"""What kafka-python raises for a partition that the group took away, at any time, on its I/O thread."""


class Session:
    """One consumer, from subscribing to closing; used by the source's thread only.

    With `once` it ends by itself when everything is committed that lay in the assigned partitions when
    they were assigned.
    """

    def __init__(
        self, consumer: KafkaConsumer, config: KafkaConfig, handover: Handover, part: Part, once: bool
    ) -> None:
        unpacking.bound(consumer, config.max_unpacked_bytes)
        self._consumer = consumer
        self._provenance = Provenance(consumer)
        self._config = config
        self._handover = handover
        self._part = part
        self._once = once
        self._partitions = Partitions()
        self._commits = Commits(consumer, config.topic, self._partitions)
        self._rebalances = Rebalances(consumer, config.topic, self._partitions, self._commits)
        self._tend_due = 0.0
        self._commit_due = 0.0
        self._well_at = time.monotonic()
        self.waiting = 0
        self.unhandled = 0

    def run(self, stopping: Callable[[], bool]) -> None:
        """Works until `stopping`, or until a single run is done. Raises KafkaError when this consumer cannot
        go on, and ConfigurationError when a single run finds no broker or topic."""
        self._consumer.subscribe([self._config.topic], listener=self._rebalances)
        client.load_metadata(self._consumer, self._config.topic, PATIENCE)
        while not stopping():
            self._pace(flowing=self._handover.deliver(POLL))
            self._take(self._poll())
            if (now := time.monotonic()) >= self._tend_due:
                self._tend_due = now + min(TEND_EVERY, self._config.commit_interval)
                self._tend(now)
                if self._once and self._finished():
                    return

    def close(self) -> None:
        """Commits what is settled and closes the consumer, within LAST_TIMEOUT and CLOSE seconds."""
        self._commits.finish()
        self.unhandled = sum(partition.left for partition in self._partitions.all())
        self._partitions.drop()
        self._consumer.close(timeout_ms=CLOSE * 1000)

    def _pace(self, flowing: bool) -> None:
        """Pauses everything while records wait for credit, and full partitions always; polling goes on."""
        paused = self._consumer.paused()
        answering = True
        for partition in self._partitions.all():
            if answering and not partition.ready:
                answering = self._greet(partition)
            readable = not partition.full and time.monotonic() >= partition.retry_at
            wanted = flowing and partition.ready and readable
            if wanted is (partition.where in paused):
                with suppress(*_TAKEN_AWAY):
                    (self._consumer.resume if wanted else self._consumer.pause)(partition.where)

    def _greet(self, partition: Partition) -> bool:
        """Makes sure that a new partition begins where it should, so that it is ready; False when nobody
        answers."""
        if not client.exists(self._consumer, self._config.topic):
            return False
        partition.incarnation = client.incarnation(self._consumer, self._config.topic)
        try:
            committed = self._consumer.committed(partition.where, metadata=True, timeout_ms=ANSWER * 1000)
            if self._once:
                ends = self._consumer.end_offsets([partition.where], timeout_ms=ANSWER * 1000)
                partition.end = ends[partition.where]
        except KafkaTimeoutError:
            return False
        if committed is None:
            partition.ready = client.read_from(self._consumer, partition.where)
        elif is_of_another(committed.metadata, partition.incarnation):
            partition.ready = self._reset(partition.where, "the topic was deleted and created again")
        else:
            partition.committed = committed.offset
            partition.ready = client.read_from(self._consumer, partition.where, committed.offset)
        return True

    def _greet_again(self, without_offset: Collection[TopicPartition]) -> None:
        """kafka-python says so of partitions, too, that were assigned while it asked about others."""
        for where in without_offset:
            if (partition := self._partitions.get(where)) is not None:
                partition.ready = False

    def _poll(self) -> dict[TopicPartition, list[Any]]:
        client.keep_joining(self._consumer)
        try:
            records, unreadable = client.poll(self._consumer, POLL)
            if unreadable is not None:
                self._stop_at(unreadable)
            elif records:  # or what cannot be read would be fetched at once, and looked at a minute later
                client.fetch_ahead(self._consumer)
            return records
        except NoOffsetForPartitionError as error:
            self._greet_again(error.args[0])
        except OffsetOutOfRangeError as error:
            for where, offset in error.args[0].items():
                self._restart(where, f"offset {offset} is gone, as retention or a new log has it")
        except LogTruncationError as error:
            for where in error.divergent_offsets:
                self._restart(where, "the broker lost records that were read already")
        except KeyError as error:
            if not self._was_taken_away(error.args[0]):
                raise
        return {}

    def _was_taken_away(self, key: object) -> bool:
        return isinstance(key, TopicPartition) and key not in self._consumer.assignment()

    def _stop_at(self, unreadable: Unreadable) -> None:
        partition = self._partitions.get(unreadable.where)
        if partition is not None:
            partition.stop_at(unreadable, time.monotonic() + REREAD)

    def _take(self, polled: dict[TopicPartition, list[Any]]) -> None:
        # Whose they are is settled before the broker is asked: a partition that was taken away and given
        # back meanwhile begins elsewhere, and is not ready before that is known.
        read = [
            (partition, records)
            for where, records in polled.items()
            if (partition := self._partitions.get(where)) is not None and partition.ready
        ]
        if not self._is_certain(partition for partition, _records in read):
            self._put_back(read)
            return
        incarnation = client.incarnation(self._consumer, self._config.topic)
        for partition in self._partitions.all():
            if incarnation is not None and partition.incarnation not in (None, incarnation):
                self._restart(partition.where, "the topic was deleted and created again")
        for partition, records in read:
            if not partition.gone:
                self._take_from(partition, records)

    def _is_certain(self, partitions: Iterable[Partition]) -> bool:
        """Whether it is known by now of which topic the records are that were just polled: their keys hold
        its id, and the topic may have been deleted and created again before they were fetched."""
        if all(partition.incarnation is None for partition in partitions):
            return True
        try:
            self._provenance.establish()
        except KafkaError:
            return False
        return True

    def _put_back(self, read: list[tuple[Partition, list[Any]]]) -> None:
        """Has records fetched again later."""
        for partition, records in read:
            if not partition.gone and client.read_from(self._consumer, partition.where, records[0].offset):
                partition.retry_at = time.monotonic() + ASK_AGAIN

    def _take_from(self, partition: Partition, records: list[Any]) -> None:
        reached(Point.RECORDS_READ)
        pictures = [record for record in records if record.value is not None]
        partition.take([record.offset for record in pictures], records[-1].offset + 1)
        self._handover.hold(partition, pictures)
        reached(Point.RECORDS_HELD)
        if tombstones := len(records) - len(pictures):
            topic, number = partition.where
            emit(RecordsSkipped(topic=topic, partition=number, count=tombstones))

    def _restart(self, where: TopicPartition, reason: str) -> None:
        partition = self._partitions.get(where)
        if partition is not None:
            incarnation = client.incarnation(self._consumer, self._config.topic)
            if not self._partitions.renew(partition, incarnation).gone:
                self._reset(where, reason)

    def _reset(self, where: TopicPartition, reason: str) -> bool:
        self._provenance.forget()
        done = client.read_from(self._consumer, where)
        if done:
            emit(OffsetReset(topic=where.topic, partition=where.partition, reason=reason))
        return done

    def _tend(self, now: float) -> None:
        """What is done now and then, and the commit when it is due."""
        if client.fenced(self._consumer):
            raise FencedInstanceIdError
        for partition in self._partitions.all():
            if partition.ready and partition.idle and (position := self._position(partition)) is not None:
                partition.advance(position)
        if now >= self._commit_due:
            self._commit_due = now + self._config.commit_interval
            self._commits.start()
        self._measure()
        self._report()

    def _position(self, partition: Partition) -> int | None:
        """Where the consumer stands: past transaction markers too. None while that is being found out."""
        try:
            position: int | None = self._consumer.position(partition.where, timeout_ms=0)
            return position
        except (KafkaTimeoutError, NoOffsetForPartitionError, *_TAKEN_AWAY):
            return None

    def _measure(self) -> None:
        waiting = len(self._handover)
        for partition in self._partitions.all():
            end = None
            with suppress(*_TAKEN_AWAY):
                end = self._consumer.highwater(partition.where)
            if end is not None and partition.position is not None:
                lag = max(0, end - partition.position)
                metrics.kafka_lag.labels(partition.where.topic, str(partition.where.partition)).set(lag)
                waiting += lag
        self.waiting = waiting

    def _report(self) -> None:
        trouble = self._trouble()
        now = time.monotonic()
        if trouble is None:
            self._well_at = now
            if self._rebalances.joined:
                self._part.up()
        elif now - self._well_at >= PATIENCE:
            self._part.down(trouble)
            if self._once:
                raise ConfigurationError(trouble)

    def _trouble(self) -> str | None:
        config = self._config
        if not client.reachable(self._consumer):
            return (
                f"Kafka does not answer at {config.servers} (group {config.group_id}): "
                "check that the broker runs; records wait in the topic until then"
            )
        if not client.exists(self._consumer, config.topic):
            return f"Kafka topic {config.topic} does not exist: create it, or correct kafka.input.topic"
        stopped = (one.unreadable.reason for one in self._partitions.all() if one.unreadable)
        return "; ".join(stopped) or None

    def _finished(self) -> bool:
        return (
            self._rebalances.joined
            and self._trouble() is None
            and all(partition.finished for partition in self._partitions.all())
        )
