"""What one poll brings, and what it could not read."""

import asyncio
from types import SimpleNamespace

import pytest
from kafka import TopicPartition
from kafka.errors import CorruptRecordError, TopicAuthorizationFailedError, UnknownBrokerIdError

from classifyd.sources.kafka import client
from classifyd.sources.kafka.unreadable import Unreadable

A, B = TopicPartition("pictures", 0), TopicPartition("pictures", 1)
BAD = CorruptRecordError("bad")


class Spent:
    """Records of A whose iterator has raised at offset 5."""

    topic_partition = A
    next_fetch_offset = 5

    def __init__(self):
        self.drained = False

    def __bool__(self):
        return not self.drained

    def drain(self):
        self.drained = True


def consumer(poll, **fetcher):
    kept = {
        "_next_partition_records": None,
        "_next_in_line_exception_metadata": None,
        "_completed_fetches": (),
    }
    return SimpleNamespace(poll=poll, _fetcher=SimpleNamespace(**kept | fetcher))


def raising(error):
    def poll(**_options):
        raise error

    return poll


def test_a_record_that_cannot_be_read_is_told_with_its_place_and_its_iterator_drained():
    spent = Spent()
    found = client.poll(consumer(raising(BAD), _next_partition_records=spent), 0.1)
    assert found == ({}, Unreadable(A, 5, BAD))
    assert spent.drained


def test_an_error_kept_for_the_next_poll_is_told_now_beside_the_records():
    one = consumer(
        lambda **_options: {B: ["record"]},
        _next_partition_records=Spent(),
        _next_in_line_exception_metadata=SimpleNamespace(exception=BAD),
    )
    assert client.poll(one, 0.1) == ({B: ["record"]}, Unreadable(A, 5, BAD))
    assert one._fetcher._next_in_line_exception_metadata is None


def test_another_error_is_kept_for_the_next_poll():
    kept = SimpleNamespace(exception=TopicAuthorizationFailedError({"pictures"}))
    one = consumer(lambda **_options: {B: ["record"]}, _next_in_line_exception_metadata=kept)
    assert client.poll(one, 0.1) == ({B: ["record"]}, None)
    assert one._fetcher._next_in_line_exception_metadata is kept


@pytest.mark.parametrize("error", [BAD, TopicAuthorizationFailedError({"pictures"})])
def test_an_error_without_a_place_is_raised(error):
    with pytest.raises(type(error)):
        client.poll(consumer(raising(error)), 0.1)


def test_drained_records_make_room_for_those_of_a_resumed_partition():
    spent = Spent()
    spent.drain()
    one = consumer(lambda **_options: None, _next_partition_records=spent)
    assert client.poll(one, 0.1) == ({}, None)
    assert one._fetcher._next_partition_records is None


@pytest.mark.parametrize(("waiting", "asks"), [((), True), (("an answer",), False)])
def test_a_poll_asks_for_records_itself_only_where_none_are_there(waiting, asks):
    class Fetcher:
        _next_partition_records = _next_in_line_exception_metadata = None
        _completed_fetches = waiting

        def send_fetches(self):
            asked.append(self)

    asked = []
    one = SimpleNamespace(poll=lambda **_options: fetcher.send_fetches(), _fetcher=(fetcher := Fetcher()))
    client.poll(one, 0.1)
    assert bool(asked) is asks
    fetcher.send_fetches()
    assert len(asked) == 1 + asks, "afterwards it does again"


def test_a_poll_that_finds_nothing_in_what_is_there_asks_before_it_turns_around():
    """As what was fetched for a partition that is paused meanwhile: it would turn around at full speed."""

    class Fetcher:
        _next_partition_records = _next_in_line_exception_metadata = None
        _completed_fetches = ("of a paused partition",)

        def send_fetches(self):
            asked.append(self)

    def poll(**_options):
        fetcher.send_fetches()
        assert not asked
        fetcher.send_fetches()

    asked = []
    client.poll(SimpleNamespace(poll=poll, _fetcher=(fetcher := Fetcher())), 0.1)
    assert asked


def test_a_reason_names_the_place_and_does_not_quote_the_whole_record():
    reason = Unreadable(A, 5, CorruptRecordError("x" * 10_000)).reason
    assert reason.startswith("Kafka topic pictures, partition 0, offset 5 cannot be read: ")
    assert len(reason) < 600


def fetching(*completed):
    """A consumer that cannot ask broker 2, with these answers to take up, and what it posts."""

    async def send_fetches():
        fetcher._nodes_with_pending_fetch_requests.add(2)
        raise UnknownBrokerIdError(2)

    fetcher = SimpleNamespace(
        _completed_fetches=completed,
        _send_fetches_async=send_fetches,
        _nodes_with_pending_fetch_requests={1},
    )
    posted = []
    return SimpleNamespace(_fetcher=fetcher, _manager=SimpleNamespace(call_soon=posted.append)), posted


def test_a_broker_that_could_not_be_asked_ahead_is_asked_by_the_next_poll():
    one, posted = fetching()
    client.fetch_ahead(one)
    with pytest.raises(UnknownBrokerIdError):
        asyncio.run(posted[0]())
    assert one._fetcher._nodes_with_pending_fetch_requests == {1}


def test_one_answer_waits_to_be_taken_up_while_another_is_fetched_and_no_more():
    one, posted = fetching("the answer for A")
    client.fetch_ahead(one)
    assert len(posted) == 1
    one, posted = fetching("the answer for A", "the answer for B")
    client.fetch_ahead(one)
    assert not posted
