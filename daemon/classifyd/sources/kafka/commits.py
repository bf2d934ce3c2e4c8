"""Commits what is settled, and follows the group's rebalances."""

from collections.abc import Collection
from contextlib import suppress

from kafka import KafkaConsumer, TopicPartition
from kafka.consumer.subscription_state import AsyncConsumerRebalanceListener
from kafka.errors import KafkaError
from kafka.structs import OffsetAndMetadata

from classifyd.crashpoints import Point, reached
from classifyd.sources.kafka import client
from classifyd.sources.kafka.partitions import Partition, Partitions
from classifyd.telemetry import emit, metrics
from classifyd.telemetry.kafka import CommitFailed, PartitionsAssigned, PartitionsLost

REVOKE_TIMEOUT = 5.0
LAST_TIMEOUT = 5.0
_UNKNOWN_EPOCH = -1
_TOPIC_ID = "topic-id:"


def is_of_another(metadata: str, incarnation: str | None) -> bool:
    """Whether an offset with this metadata was committed by us for an earlier topic of the same name."""
    return incarnation is not None and metadata.startswith(_TOPIC_ID) and metadata != _metadata(incarnation)


def _metadata(incarnation: str | None) -> str:
    return "" if incarnation is None else _TOPIC_ID + incarnation


class Commits:
    """The group's offsets. A failed commit is told and never fatal: the next one covers it.

    The topic's id goes along as the commit's metadata, so that offsets of a deleted topic are not taken
    for those of a new one with its name.
    """

    def __init__(self, consumer: KafkaConsumer, topic: str, partitions: Partitions) -> None:
        self._consumer = consumer
        self._topic = topic
        self._partitions = partitions
        self._pending = False

    def start(self) -> None:
        """Begins to commit what is settled, unless a commit is under way. Never blocks."""
        wanted = self._partitions.uncommitted()
        if self._pending or not wanted:
            return
        self._pending = True

        def done(_offsets: object, answer: object) -> None:
            self._pending = False
            self._conclude(wanted, answer)

        reached(Point.OFFSETS_CHOSEN)
        self._consumer.commit_async(_offsets(wanted), callback=done)
        reached(Point.OFFSETS_SENT)

    async def revoke(self) -> None:
        """Commits before a rebalance; on kafka-python's thread."""
        wanted = self._partitions.uncommitted()
        if not wanted:
            return
        answer: object = None
        try:
            reached(Point.OFFSETS_CHOSEN)
            future = self._consumer.commit_async(_offsets(wanted), callback=_unheard)
            await client.bounded(self._consumer, future, REVOKE_TIMEOUT)
        except KafkaError as error:
            answer = error
        self._conclude(wanted, answer)

    def finish(self) -> None:
        """Commits for the last time, within LAST_TIMEOUT."""
        wanted = self._partitions.uncommitted()
        if not wanted:
            return
        answer: object = None
        try:
            reached(Point.OFFSETS_CHOSEN)
            self._consumer.commit(_offsets(wanted), timeout_ms=LAST_TIMEOUT * 1000)
        except KafkaError as error:
            answer = error
        self._conclude(wanted, answer)

    def _conclude(self, wanted: dict[Partition, int], answer: object) -> None:
        if isinstance(answer, Exception):
            emit(CommitFailed(topic=self._topic, error=str(answer) or type(answer).__name__))
            return
        reached(Point.OFFSETS_COMMITTED)
        for partition, offset in wanted.items():
            partition.committed = offset


class Rebalances(AsyncConsumerRebalanceListener):  # type: ignore[misc]
    """kafka-python calls it on its I/O thread: nothing here may block.

    What is newly assigned starts paused; the loop resumes it. `joined` tells whether there was an
    assignment yet.
    """

    def __init__(self, consumer: KafkaConsumer, topic: str, partitions: Partitions, commits: Commits) -> None:
        self._consumer = consumer
        self._topic = topic
        self._partitions = partitions
        self._commits = commits
        self.joined = False

    async def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        """Everything is revoked first; what comes back in `on_partitions_assigned` was never away."""
        await self._commits.revoke()

    async def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        client.forget_answers(self._consumer)
        held = {partition.where for partition in self._partitions.all()}
        new = self._partitions.assign(assigned)
        reached(Point.PARTITIONS_ASSIGNED)
        self._consumer.pause(*(partition.where for partition in new))
        self.joined = True
        for where in held - set(assigned):
            _forget_lag(where)
        if held != set(assigned):
            numbers = tuple(sorted(where.partition for where in assigned))
            emit(PartitionsAssigned(topic=self._topic, partitions=numbers))

    async def on_partitions_lost(self, lost: Collection[TopicPartition]) -> None:
        self._partitions.drop()
        for where in lost:
            _forget_lag(where)
        emit(PartitionsLost(topic=self._topic, partitions=tuple(sorted(where.partition for where in lost))))


def _offsets(wanted: dict[Partition, int]) -> dict[TopicPartition, OffsetAndMetadata]:
    return {
        partition.where: OffsetAndMetadata(offset, _metadata(partition.incarnation), _UNKNOWN_EPOCH)
        for partition, offset in wanted.items()
    }


def _unheard(_offsets: object, _answer: object) -> None:
    """Stands in for kafka-python's own callback, which would log a failure a second time."""


def _forget_lag(where: TopicPartition) -> None:
    with suppress(KeyError):  # never measured
        metrics.kafka_lag.remove(where.topic, str(where.partition))
