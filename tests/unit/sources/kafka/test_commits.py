"""Commits and rebalances, with a consumer that answers as told."""

import asyncio
from types import SimpleNamespace

import pytest
from kafka import TopicPartition
from kafka.errors import CommitFailedError
from kafka.structs import OffsetAndMetadata

from classifyd.sources.kafka import client
from classifyd.sources.kafka.commits import Commits, Rebalances, is_of_another
from classifyd.sources.kafka.partitions import Partitions
from classifyd.telemetry.kafka import CommitFailed, PartitionsLost

A, B = TopicPartition("pictures", 0), TopicPartition("pictures", 1)


class FakeConsumer:
    """Keeps what is committed; `answer` is an exception or None."""

    def __init__(self):
        self.answer = None
        self.sent = []
        self.callbacks = []
        self.halted = []
        self._coordinator = SimpleNamespace(_offset_fetch_futures={frozenset({A}): "no offset"})

    def commit_async(self, offsets, callback):
        self.sent.append(offsets)
        self.callbacks.append(lambda: callback(offsets, self.answer))

    def commit(self, offsets, timeout_ms):
        self.sent.append(offsets)
        if self.answer is not None:
            raise self.answer

    def pause(self, *wheres):
        self.halted.extend(wheres)


@pytest.fixture
def consumer(monkeypatch):
    one = FakeConsumer()

    async def bounded(_consumer, _future, _seconds):
        if one.answer is not None:
            raise one.answer

    monkeypatch.setattr(client, "bounded", bounded)
    return one


@pytest.fixture
def partitions():
    held = Partitions()
    for partition in held.assign([A, B]):
        partition.incarnation = "id"
    return held


@pytest.fixture
def commits(consumer, partitions):
    return Commits(consumer, "pictures", partitions)


@pytest.fixture
def told(monkeypatch):
    events = []
    monkeypatch.setattr("classifyd.sources.kafka.commits.emit", events.append)
    return events


def settle(partitions, where, offset):
    partition = partitions.get(where)
    partition.take([offset], offset + 1)
    partition.settle(offset)
    return partition


def test_what_is_settled_is_committed_with_the_topics_id(consumer, partitions, commits):
    partition = settle(partitions, A, 4)
    commits.start()
    assert consumer.sent == [{A: OffsetAndMetadata(5, "topic-id:id", -1)}]
    assert partition.committed is None, "not before the broker said so"
    consumer.callbacks.pop()()
    assert partition.committed == 5
    commits.start()
    assert len(consumer.sent) == 1, "there is nothing new"


def test_one_commit_is_under_way_at_a_time(consumer, partitions, commits):
    settle(partitions, A, 4)
    commits.start()
    settle(partitions, A, 5)
    commits.start()
    assert len(consumer.sent) == 1
    consumer.callbacks.pop()()
    commits.start()
    assert consumer.sent[1][A].offset == 6


def test_a_commit_that_fails_is_told_and_tried_again(consumer, partitions, commits, told):
    settle(partitions, A, 4)
    consumer.answer = CommitFailedError("rebalancing")
    commits.start()
    consumer.callbacks.pop()()
    assert told == [CommitFailed(topic="pictures", error="CommitFailedError: rebalancing")]
    commits.start()
    assert [one[A].offset for one in consumer.sent] == [5, 5]


@pytest.mark.parametrize("last", ["finish", "revoke"])
@pytest.mark.parametrize("answer", [None, CommitFailedError("gone")])
def test_the_last_commit_is_awaited_and_its_failure_told(consumer, partitions, commits, told, last, answer):
    partition = settle(partitions, A, 4)
    consumer.answer = answer
    outcome = getattr(commits, last)()
    if outcome is not None:
        asyncio.run(outcome)
    assert consumer.sent[0][A].offset == 5
    assert partition.committed == (5 if answer is None else None)
    assert [type(event) for event in told] == ([] if answer is None else [CommitFailed])


def test_with_nothing_settled_nothing_is_committed(consumer, commits):
    commits.finish()
    asyncio.run(commits.revoke())
    assert consumer.sent == []


def test_new_partitions_start_paused_and_those_given_back_run_on(consumer, partitions, commits):
    rebalances = Rebalances(consumer, "pictures", partitions, commits)
    kept, added = partitions.get(A), TopicPartition("pictures", 2)
    asyncio.run(rebalances.on_partitions_assigned({A, added}))
    assert consumer.halted == [added]
    assert (partitions.get(A), partitions.get(B), rebalances.joined) == (kept, None, True)
    assert consumer._coordinator._offset_fetch_futures == {}


def test_lost_partitions_are_dropped_without_a_commit(consumer, partitions, commits, told):
    settle(partitions, A, 4)
    rebalances = Rebalances(consumer, "pictures", partitions, commits)
    asyncio.run(rebalances.on_partitions_lost({A, B}))
    assert (partitions.all(), consumer.sent) == ([], [])
    assert told == [PartitionsLost(topic="pictures", partitions=(0, 1))]


@pytest.mark.parametrize(
    ("metadata", "incarnation", "foreign"),
    [
        ("", "id", False),
        ("a note", "id", False),
        ("topic-id:id", "id", False),
        ("topic-id:other", "id", True),
        ("topic-id:other", None, False),
    ],
)
def test_an_offset_of_an_earlier_topic_is_known_by_its_metadata(metadata, incarnation, foreign):
    assert is_of_another(metadata, incarnation) is foreign
