"""When the broker is asked of which topic records are, and which are forgotten."""

import time
from types import SimpleNamespace

import pytest
from kafka import TopicPartition
from kafka.consumer.fetcher import Fetcher
from kafka.consumer.subscription_state import SubscriptionState
from kafka.errors import KafkaTimeoutError
from kafka.future import Future
from kafka.net.selector import NetworkSelector
from kafka.record import MemoryRecordsBuilder

from classifyd.sources.kafka.provenance import Provenance


class FakeConsumer:
    """Its broker answers each question at once, but for those of `unanswered`."""

    def __init__(self, net):
        self._net = net
        self._manager = SimpleNamespace(
            send=self._send, wait_for=self._wait_for, call_soon=net.call_soon_with_future
        )
        self._coordinator = SimpleNamespace(coordinator_id="coordinator")
        self._cluster = SimpleNamespace(metadata_request=lambda: "?", update_metadata=self._update)
        self._fetcher = SimpleNamespace(_completed_fetches=[], _handle_fetch_response=self._handle)
        self.questions = 0
        self.answers = []
        self.unanswered = 0
        self.meanwhile = lambda: None

    def fetch(self, *records):
        """A fetch is answered with these records."""
        self._fetcher._handle_fetch_response("node", {}, 0.0, records)

    def _handle(self, _node, _asked, _sent, records):
        self._fetcher._completed_fetches.extend(records)

    def _send(self, question, node_id):
        assert (question, node_id) == ("?", "coordinator")
        self.questions += 1
        self.meanwhile()
        self.meanwhile = lambda: None
        return Future().success("!")

    async def _wait_for(self, answer, _timeout_ms):
        await self._net.sleep(0)
        if self.unanswered:
            self.unanswered -= 1
            raise KafkaTimeoutError
        return await answer

    def _update(self, answer):
        self.answers.append(answer)


@pytest.fixture
def consumer():
    net = NetworkSelector()
    yield FakeConsumer(net)
    net.close()


@pytest.fixture
def provenance(consumer):
    one = Provenance(consumer)
    one.establish()
    assert not consumer.questions, "nothing was fetched"
    return one


def test_the_broker_is_asked_as_soon_as_records_come(consumer, provenance):
    consumer.fetch("record")
    consumer._net.drain(scheduled=True)
    assert consumer.answers == ["!"]
    provenance.establish()
    assert consumer.questions == 1


def test_an_answer_that_is_still_awaited_is_not_asked_for_twice(consumer, provenance):
    consumer.fetch("record")
    provenance.establish()
    assert (consumer.questions, consumer.answers) == (1, ["!"])


def test_an_answer_says_nothing_of_what_came_after_the_question(consumer, provenance):
    def an_answer_without_records_comes():
        consumer._fetcher._completed_fetches.clear()
        consumer.fetch()

    consumer.meanwhile = an_answer_without_records_comes
    consumer.fetch("record")
    consumer._net.drain(scheduled=True)
    assert consumer.questions == 1
    provenance.establish()
    assert consumer.questions == 2


def test_fetches_that_bring_nothing_make_no_questions(consumer, provenance):
    consumer.fetch()
    consumer._net.drain(scheduled=True)
    assert not consumer.questions


def test_nothing_is_asked_ahead_of_a_broker_whose_topics_have_no_ids(consumer):
    Provenance(consumer)
    consumer.fetch("record")
    consumer._net.drain(scheduled=True)
    assert not consumer.questions


def test_a_question_that_failed_is_asked_again(consumer, provenance):
    consumer.unanswered = 1
    consumer.fetch("record")
    provenance.establish()
    assert (consumer.questions, consumer.answers) == (2, ["!"])


def test_it_is_told_when_nobody_answers(consumer, provenance):
    consumer.unanswered = 2
    consumer.fetch("record")
    with pytest.raises(KafkaTimeoutError):
        provenance.establish()
    assert not consumer.answers


A = TopicPartition("pictures", 0)


def answer(value):
    """A fetch's answer, with one record at offset 0."""
    builder = MemoryRecordsBuilder(magic=2, compression_type=0, batch_size=1000)
    builder.append(timestamp=0, key=None, value=value)
    builder.close()
    partition = SimpleNamespace(
        partition_index=A.partition,
        error_code=0,
        high_watermark=1,
        records=builder.buffer(),
        aborted_transactions=None,
        diverging_epoch=None,
        preferred_read_replica=-1,
    )
    topic = SimpleNamespace(topic=A.topic, partitions=[partition])
    return SimpleNamespace(API_VERSION=12, responses=[topic])


@pytest.fixture
def reading(consumer):
    """kafka-python's own fetcher, which reads A from its beginning."""
    manager = SimpleNamespace(_net=consumer._net, broker_version=None)
    positions = SubscriptionState()
    positions.assign_from_user([A])
    positions.seek(A, 0)
    consumer._fetcher = Fetcher(SimpleNamespace(_manager=manager), positions)
    return Provenance(consumer), consumer._fetcher, positions


def test_records_of_a_deleted_topic_are_not_taken_for_the_first_of_its_successor(reading):
    """All were asked for from offset 0: what was polled in part, what waits to be, and what is under way."""
    provenance, fetcher, positions = reading
    fetcher._handle_fetch_response(1, {A: 0}, time.monotonic(), answer(b"taken up"))
    fetcher._next_partition_records = fetcher._parse_fetched_data(fetcher._completed_fetches.pop())
    fetcher._handle_fetch_response(1, {A: 0}, time.monotonic(), answer(b"waiting"))
    asked = time.monotonic()
    provenance.forget()
    positions.seek(A, 0)
    assert fetcher.fetched_records() == ({}, False)
    fetcher._handle_fetch_response(1, {A: 0}, asked, answer(b"under way"))
    assert fetcher.fetched_records() == ({}, False)
    fetcher._handle_fetch_response(1, {A: 0}, time.monotonic(), answer(b"new"))
    records, _ = fetcher.fetched_records()
    assert [record.value for record in records[A]] == [b"new"]
