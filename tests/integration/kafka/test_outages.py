"""What happens while the broker is away: a broker of these tests' own goes down and comes back."""

from collections.abc import Iterator
from uuid import uuid4

import pytest

from classifyd.core.errors import ConfigurationError, PublishUnavailable
from classifyd.core.values import Message, Pending
from classifyd.publish.kafka import KafkaPublisher, PublisherConfig
from tests.integration.kafka.support import (
    Running,
    committed,
    consumed,
    make_topic,
    running,
    send_all,
    wait_until,
)
from verification.kit.broker import Broker, temporary_broker

pytestmark = pytest.mark.kafka


@pytest.fixture(scope="module")
def unsteady(broker: Broker) -> Iterator[Broker]:
    """A broker that a test may stop, and leaves running. (`broker` skips where there can be none.)"""
    with temporary_broker() as running_broker:
        yield running_broker


@pytest.fixture
def topic(unsteady):
    return make_topic(unsteady, f"topic-{uuid4().hex[:12]}", partitions=1)


def test_a_broker_that_comes_later_and_restarts_is_waited_for(unsteady, topic):
    send_all(unsteady, topic, [b"%d" % number for number in range(10)])
    unsteady.stop()
    with running(unsteady, topic, "group", session_timeout=10.0) as one:
        wait_until(lambda: one.part.told, "the outage is told")
        assert "check the broker" in one.part.told[0]
        unsteady.start()
        first = one.wait_for(10)
        wait_until(lambda: one.part.told[-1] is None, "the broker is back")
        one.settle(first[:5])
        unsteady.stop()
        wait_until(lambda: one.part.told[-1] is not None, "the second outage is told")
        one.settle(first[5:])
        unsteady.start()
        send_all(unsteady, topic, [b"later"])
        wait_until(lambda: b"later" in {each.image.data for each in one.offered}, "a later record")
        one.settle_all()
        wait_until(lambda: committed(unsteady, "group", topic) == {0: 11}, "the last commit")
        wait_until(lambda: one.part.told[-1] is None, "the broker is back")
        assert len({each.image.origin.key for each in one.offered}) == 11


def test_stopping_is_bounded_while_the_broker_hangs(unsteady, topic):
    send_all(unsteady, topic, [b"%d" % number for number in range(4)])
    one = Running(unsteady, topic, "hanging")
    one.wait_for(4)
    unsteady.pause()
    try:
        one.settle_all()
        one.end()
        assert one.failure is None
    finally:
        unsteady.resume()


def test_a_publisher_tells_that_the_broker_is_away_and_finds_it_again(unsteady, topic):
    publisher = KafkaPublisher(PublisherConfig(unsteady.connection))

    def publish(position: int, timeout: float):
        message = Message(topic, b"key", (), b"%d" % position)
        return publisher.publish([Pending(position, message)], timeout)[position]

    assert publish(1, 20.0) is None
    unsteady.pause()
    try:
        assert isinstance(publish(2, 1.0), PublishUnavailable)
    finally:
        unsteady.resume()
    unsteady.stop()
    assert "check that the broker runs" in str(publish(2, 1.0))
    unsteady.start()
    wait_until(lambda: publish(2, 5.0) is None, "the broker's return")
    values = [one.value for one in consumed(unsteady, topic, 2)]
    assert values[0] == b"1"
    assert set(values[1:]) == {b"2"}
    publisher.close(5.0)


def test_once_ends_with_the_reason_when_the_broker_is_away(broker):
    one = Running(broker, "t", "g", once=True, connection={"bootstrap_servers": "127.0.0.1:9"})
    one.thread.join(20)
    with pytest.raises(ConfigurationError, match=r"127\.0\.0\.1:9"):
        raise one.failure


def test_a_setting_that_can_never_work_is_told_as_such(broker):
    one = Running(broker, "t", "g", consumer={"no_such_key": 1})
    one.thread.join(20)
    with pytest.raises(ConfigurationError, match="no_such_key"):
        raise one.failure


def test_a_second_consumer_of_the_same_name_ends_the_first_with_the_reason(broker):
    topic = make_topic(broker, "fenced", partitions=1)
    first = Running(broker, topic, "fenced", instance="same")
    wait_until(lambda: first.part.told == [None], "the first is in the group")
    with running(broker, topic, "fenced", instance="same"):
        first.thread.join(20)
        first.source.stop()
    with pytest.raises(ConfigurationError, match="a database of its own"):
        raise first.failure
