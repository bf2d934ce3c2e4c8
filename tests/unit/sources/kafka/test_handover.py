"""Records are handed over as far as there is credit."""

import threading
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from kafka import TopicPartition
from kafka.consumer.fetcher import ConsumerRecord

from classifyd.core.gate import Limits
from classifyd.core.values import Disposition, Reason, Settlement
from classifyd.sources.kafka import handover as module
from classifyd.sources.kafka.handover import Handover
from classifyd.sources.kafka.partitions import Partitions
from tests.unit.sources.kafka.fakes import DONE, FakeInlet

WHERE = TopicPartition("pictures", 2)
NOW = datetime(2026, 1, 31, tzinfo=UTC)
RETRY = Settlement.retry("not now")


class World:
    """A handover of one partition, with `items` credits."""

    def __init__(self, items=10, incarnation="id"):
        self.inlet = FakeInlet(items)
        self.draining = threading.Event()
        self.handover = Handover(self.inlet, Limits(), lambda: NOW, "cluster", self.draining)
        self.partitions = Partitions()
        (self.partition,) = self.partitions.assign({WHERE})
        self.partition.incarnation = incarnation

    def hold(self, *offsets, value=b"picture", key=b"key", headers=()):
        self.partition.take(offsets, offsets[-1] + 1)
        self.handover.hold(self.partition, [record(one, value, key, headers) for one in offsets])

    @property
    def offered(self):
        return [one.image.origin.offset for one in self.inlet.offered]


def record(offset, value, key, headers):
    return ConsumerRecord("pictures", 2, 0, offset, 1234, 0, key, value, list(headers), None, 0, 0, 0)


@pytest.fixture
def world():
    return World()


@pytest.fixture
def at_once(monkeypatch):
    monkeypatch.setattr(module, "RETRY_DELAY", 0.0)


def test_a_delivery_tells_the_record_it_came_from(world):
    world.hold(7, headers=[("camera", b"north"), ("nothing", None)])
    assert world.handover.deliver(1.0)
    image = world.inlet.offered[0].image
    assert image.origin.key == "kafka:cluster/pictures/id/2/7"
    assert (image.origin.name, image.origin.topic, image.origin.partition) == ("key", "pictures", 2)
    assert image.record.headers == (("camera", b"north"), ("nothing", None))
    assert (image.data, image.record.value, image.received_at) == (b"picture", b"picture", NOW)
    assert world.inlet.offered[0].refusal.reason is Reason.NOT_A_JPEG


def test_the_key_holds_the_records_time_where_a_topic_has_no_id():
    world = World(incarnation=None)
    world.hold(7)
    world.handover.deliver(1.0)
    assert world.inlet.offered[0].image.origin.key == "kafka:cluster/pictures/1234/2/7"


def test_a_key_that_is_no_text_is_encoded_and_none_stays_none(world):
    world.hold(1, key=b"caf\xe9\n")
    world.hold(2, key=None)
    world.handover.deliver(1.0)
    assert [one.image.origin.name for one in world.inlet.offered] == ["caf%E9%0A", None]


def test_a_refused_event_keeps_its_bytes_and_their_sum(world):
    world.hold(1, value=b"{", headers=[("content-type", b"application/cloudevents+json")])
    world.handover.deliver(1.0)
    (delivery,) = world.inlet.offered
    assert delivery.refusal.reason is Reason.NOT_AN_EVENT
    assert (delivery.image.data, delivery.image.size_bytes, len(delivery.image.sha256)) == (b"{", 1, 64)


def test_what_has_no_credit_is_kept_in_order():
    world = World(items=2)
    world.hold(1, 2, 3)
    assert not world.handover.deliver(0.01)
    assert (world.offered, len(world.handover)) == ([1, 2], 1)
    world.inlet.offered[0].settle(DONE)
    assert world.handover.deliver(1.0)
    assert world.offered == [1, 2, 3]


def test_what_was_polled_is_offered_together_up_to_a_bound(world):
    world.hold(*range(5))
    world.handover.deliver(1.0)
    assert world.inlet.bursts == [5]


def test_a_burst_does_not_wait_for_the_last_of_a_large_poll(monkeypatch):
    monkeypatch.setattr(module, "BURST", 2)
    world = World()
    world.hold(*range(5))
    world.handover.deliver(1.0)
    assert world.inlet.bursts == [2, 2, 1]


def test_a_burst_goes_out_before_credit_is_waited_for(monkeypatch):
    world = World(items=2)
    waited = []

    def reserve(size, timeout=0.0):
        if timeout:
            waited.append((world.inlet.bursts[:], timeout))
            world.inlet.offered[0].settle(DONE)
        return FakeInlet.reserve(world.inlet, size)

    monkeypatch.setattr(world.inlet, "reserve", reserve)
    world.hold(1, 2, 3)
    assert world.handover.deliver(1.0)
    assert (waited, world.inlet.bursts) == ([([2], 1.0)], [2, 1])


def test_it_waits_for_credit_no_longer_than_it_is_given_however_often_some_comes(monkeypatch):
    world = World(items=1)
    now, waits = [0.0], []
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: now[0]))

    def reserve(size, timeout=0.0):
        if timeout:
            waits.append(round(timeout, 3))
            now[0] += min(0.4, timeout)
            world.inlet.offered[-1].settle(DONE)
        return FakeInlet.reserve(world.inlet, size)

    monkeypatch.setattr(world.inlet, "reserve", reserve)
    world.hold(*range(9))
    assert not world.handover.deliver(1.0)
    assert (waits, world.offered) == ([1.0, 0.6, 0.2], [0, 1, 2, 3])


def test_what_came_back_is_offered_together(world, at_once):
    world.hold(1, 2)
    world.handover.deliver(1.0)
    for delivery in world.inlet.offered[:]:
        delivery.settle(RETRY)
    world.handover.deliver(1.0)
    assert (world.offered, world.inlet.bursts) == ([1, 2, 1, 2], [2, 2])


def test_settling_gives_the_credit_back_and_moves_the_watermark(world):
    world.hold(5, 6)
    world.handover.deliver(1.0)
    first, second = world.inlet.offered
    second.settle(Settlement(Disposition.REJECTED))
    assert (world.partition.safe, world.inlet.under_way) == (5, 1)
    first.settle(DONE)
    assert (world.partition.safe, world.inlet.under_way) == (7, 0)


def test_a_record_of_a_partition_that_is_gone_is_dropped(world):
    world.hold(1, 2)
    world.partitions.drop()
    assert world.handover.deliver(1.0)
    assert (world.offered, world.inlet.under_way) == ([], 0)


def test_a_picture_that_came_back_is_offered_again_under_its_credit(world, at_once):
    world.hold(1)
    world.handover.deliver(1.0)
    world.inlet.offered[0].settle(RETRY)
    assert (world.inlet.under_way, world.partition.safe) == (1, 1)
    world.handover.deliver(1.0)
    assert world.offered == [1, 1]
    world.inlet.offered[1].settle(DONE)
    assert (world.inlet.under_way, world.partition.safe) == (0, 2)


def test_a_picture_that_came_back_rests_before_it_is_offered_again(world):
    world.hold(1)
    world.handover.deliver(1.0)
    world.inlet.offered[0].settle(RETRY)
    world.handover.deliver(1.0)
    assert world.offered == [1]


def test_a_picture_that_came_back_waits_while_the_model_is_away(world, at_once):
    world.hold(1)
    world.handover.deliver(1.0)
    world.inlet.offered[0].settle(RETRY)
    world.inlet.closed = "the model is away"
    world.handover.deliver(0.01)
    assert world.offered == [1]
    world.inlet.closed = None
    world.handover.deliver(1.0)
    assert world.offered == [1, 1]


@pytest.mark.parametrize("lost_first", [True, False])
def test_a_picture_that_comes_back_to_a_partition_that_is_gone_is_given_up(world, at_once, lost_first):
    world.hold(1)
    world.handover.deliver(1.0)
    for step in (world.partitions.drop, lambda: world.inlet.offered[0].settle(RETRY))[
        :: 1 if lost_first else -1
    ]:
        step()
    world.handover.deliver(1.0)
    assert (world.offered, world.inlet.under_way) == ([1], 0)


def test_giving_up_leaves_everything_uncommitted_and_returns_the_credit(world):
    world.hold(1, 2)
    world.handover.deliver(1.0)
    world.inlet.offered[0].settle(RETRY)
    world.hold(3)
    world.handover.give_up()
    assert (len(world.handover), world.inlet.under_way) == (0, 1)
    world.inlet.offered[1].settle(RETRY)
    assert (world.inlet.under_way, world.partition.safe) == (0, 1)
    assert not world.handover.deliver(0.0)


def test_draining_gives_up_what_is_held(world):
    world.hold(1)
    world.draining.set()
    assert not world.handover.deliver(1.0)
    assert (world.offered, len(world.handover), world.partition.safe) == ([], 0, 1)


def test_draining_while_it_waits_for_credit_returns_the_credit(world, monkeypatch):
    def reserve(size, timeout=0.0):
        world.draining.set()
        return FakeInlet.reserve(world.inlet, size, timeout)

    monkeypatch.setattr(world.inlet, "reserve", reserve)
    world.hold(1)
    assert not world.handover.deliver(1.0)
    assert (world.offered, world.inlet.under_way) == ([], 0)


def test_headers_and_key_take_credit_as_the_value_does(world):
    world.hold(7, value=b"v" * 10, key=b"k" * 20, headers=[("name", b"1" * 30), ("n", None)])
    assert world.handover.deliver(1.0)
    assert world.inlet.bytes_under_way > 10 + 20 + 4 + 30 + 1
    world.inlet.offered[0].settle(DONE)
    assert world.inlet.bytes_under_way == 0


def test_a_name_is_cut_where_the_key_is_not_one_for_people(world):
    world.hold(7, key=b"k" * 10_000)
    assert world.handover.deliver(1.0)
    image = world.inlet.offered[0].image
    assert image.origin.name == "k" * module.LONGEST_NAME
    assert image.record.key == b"k" * 10_000
