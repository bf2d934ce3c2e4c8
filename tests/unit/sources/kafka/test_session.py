"""A session whose partition is taken away while it asks about it."""

from types import SimpleNamespace

import pytest
from kafka import TopicPartition
from kafka.errors import (
    CorruptRecordError,
    IllegalStateError,
    KafkaTimeoutError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
)
from kafka.structs import OffsetAndMetadata

from classifyd.sources.kafka import client
from classifyd.sources.kafka.config import KafkaConfig
from classifyd.sources.kafka.session import Session
from classifyd.sources.kafka.unreadable import Unreadable
from tests.unit.sources.kafka.fakes import FakePart

A, B = TopicPartition("pictures", 0), TopicPartition("pictures", 1)


class FakeConsumer:
    """Assigned to B alone; A was taken away meanwhile. `answer` is raised by the next poll."""

    def __init__(self):
        self.answer = None
        self.rewound = []
        self.sought = {}
        self.commits = {}
        self.flowing = set()
        self.forgotten = 0
        self._net = SimpleNamespace(run=self._forget)
        self._fetcher = SimpleNamespace(
            _next_partition_records=None,
            _next_in_line_exception_metadata=None,
            _completed_fetches=(),
            _handle_fetch_response=None,
        )
        self._coordinator = SimpleNamespace(rejoining=False)

    def _forget(self, _forget):
        assert not self.rewound, "what is fetched from there now is wanted"
        self.forgotten += 1

    def assignment(self):
        return {B}

    def paused(self):
        return {A, B} - self.flowing

    def committed(self, where, **_options):
        return self.commits.get(where)

    def pause(self, where):
        self._look_up(where)
        self.flowing.discard(where)

    def resume(self, where):
        self._look_up(where)
        self.flowing.add(where)

    def seek_to_beginning(self, where):
        if where != B:
            raise ValueError(f"Unassigned partition: {where}")
        self.rewound.append(where)

    def seek(self, where, offset):
        if where != B:
            raise ValueError(f"Unassigned partition: {where}")
        self.sought[where] = offset

    def position(self, where, **_options):
        self._look_up(where)
        return 7

    def highwater(self, where):
        if where != B:
            raise IllegalStateError("Partition is not assigned")

    def poll(self, **_options):
        raise self.answer

    def _look_up(self, where):
        if where != B:
            raise KeyError(where)


@pytest.fixture
def consumer():
    return FakeConsumer()


@pytest.fixture
def session(consumer, monkeypatch):
    monkeypatch.setattr(client, "exists", lambda *_args: True)
    monkeypatch.setattr(client, "incarnation", lambda *_args: "id")
    config = KafkaConfig({"bootstrap_servers": "broker:9092"}, "pictures")
    one = Session(consumer, config, [], FakePart(), once=False)
    one._partitions.assign([A, B])
    return one


def test_what_was_taken_away_is_neither_resumed_nor_paused_nor_rewound(session, consumer):
    session._pace(flowing=True)
    assert consumer.rewound == [B]
    assert not session._partitions.get(A).ready
    session._partitions.get(A).ready = True
    session._pace(flowing=True)
    assert consumer.flowing == {B}


@pytest.mark.parametrize(
    ("committed", "rewound", "sought"), [(None, [B], {}), (OffsetAndMetadata(5, "", -1), [], {B: 5})]
)
def test_one_that_is_said_to_have_no_offset_begins_at_its_first_record_only_if_that_is_so(
    session, consumer, committed, rewound, sought
):
    for partition in session._partitions.all():
        partition.ready = True
    consumer.commits[B] = committed
    consumer.answer = NoOffsetForPartitionError([A, B])
    assert session._poll() == {}
    session._pace(flowing=True)
    assert (consumer.rewound, consumer.sought) == (rewound, sought)


def test_the_others_whose_offset_is_gone_begin_again(session, consumer):
    consumer.answer = OffsetOutOfRangeError({A: 3, B: 4})
    assert session._poll() == {}
    assert consumer.rewound == [B]
    assert consumer.forgotten, "what was fetched from the first record on may be of another topic"


def test_a_poll_that_meets_a_partition_that_was_taken_away_is_repeated(session, consumer):
    consumer.answer = KeyError(A)
    assert session._poll() == {}
    consumer.answer = KeyError(B)
    with pytest.raises(KeyError):
        session._poll()


def test_the_next_records_are_fetched_while_the_last_are_handed_over(session, consumer, monkeypatch):
    ahead = []
    consumer._manager = SimpleNamespace(call_soon=ahead.append)
    for polled in ({}, {B: ["record"]}):
        monkeypatch.setattr(consumer, "poll", lambda polled=polled, **_options: polled)
        assert session._poll() == polled
    assert len(ahead) == 1, "once, after the poll that brought records"


def test_what_cannot_be_read_is_not_fetched_again_at_once(session, monkeypatch):
    ahead = []
    monkeypatch.setattr(client, "fetch_ahead", ahead.append)
    found = {B: ["record"]}, Unreadable(A, 5, CorruptRecordError("bad"))
    monkeypatch.setattr(client, "poll", lambda *_: found)
    assert session._poll() == {B: ["record"]}
    assert not ahead


def test_what_was_taken_away_is_not_measured(session):
    for partition in session._partitions.all():
        partition.ready = True
    assert [session._position(partition) for partition in session._partitions.all()] == [None, 7]
    session._measure()
    assert session.waiting == 0


def test_what_was_read_before_a_partition_went_and_came_back_is_dropped(session):
    """Taking it would let an offset be committed past what another member left."""
    [*_, old] = session._partitions.all()
    old.ready, old.incarnation = True, "id"
    held = []
    session._handover = SimpleNamespace(hold=lambda partition, records: held.append(partition))

    def rebalanced():
        session._partitions.drop()
        session._partitions.assign([B])

    records = {B: [SimpleNamespace(offset=5, value=b"picture")]}
    session._provenance = SimpleNamespace(establish=rebalanced)
    session._take(dict(records))
    session._take(dict(records))
    assert not held
    assert session._partitions.uncommitted() == {}
    session._provenance = SimpleNamespace(establish=lambda: None)
    [new] = session._partitions.all()
    new.ready, new.incarnation = True, "id"
    session._take(dict(records))
    assert held == [new]


def test_what_nobody_vouches_for_is_read_again_unless_it_went_meanwhile(session, consumer):
    for partition in session._partitions.all():
        partition.ready, partition.incarnation = True, "id"

    def unanswered():
        raise KafkaTimeoutError

    session._provenance = SimpleNamespace(establish=unanswered)
    session._take({where: [SimpleNamespace(offset=5, value=b"picture")] for where in (A, B)})
    assert consumer.sought == {B: 5}
    assert session._partitions.get(B).retry_at > session._partitions.get(A).retry_at == 0


def test_a_pause_of_what_was_taken_away_hinders_none_of_the_others(session, consumer):
    consumer.flowing = {A, B}
    session._pace(flowing=False)
    assert consumer.flowing == {A}
