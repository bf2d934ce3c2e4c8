"""The Kafka source while its broker is away."""

import pytest
from tests.integration.kafka.support import (
    Running,
    committed,
    make_topic,
    running,
    send_all,
    wait_until,
)
from verification.kit.broker import temporary_broker

from classifyd.core.errors import ConfigurationError

pytestmark = pytest.mark.kafka


def test_a_broker_that_comes_later_and_restarts_is_waited_for():
    with temporary_broker() as broker:
        topic = make_topic(broker, "pictures", partitions=2)
        send_all(broker, topic, [b"%d" % number for number in range(10)])
        broker.stop()
        with running(broker, topic, "group", session_timeout=10.0) as one:
            wait_until(lambda: one.part.told, "the outage is told")
            assert "check the broker" in one.part.told[0]
            broker.start()
            first = one.wait_for(10)
            wait_until(lambda: one.part.told[-1] is None, "the broker is back")
            one.settle(first[:5])
            broker.stop()
            wait_until(lambda: one.part.told[-1] is not None, "the second outage is told")
            one.settle(first[5:])
            broker.start()
            send_all(broker, topic, [b"later"])
            wait_until(lambda: b"later" in {d.image.data for d in one.offered}, "a later record")
            one.settle_all()
            wait_until(lambda: sum(committed(broker, "group", topic).values()) == 11, "the last commit")
            assert one.part.told[-1] is None
            assert len({d.image.origin.key for d in one.offered}) == 11


def test_stopping_is_bounded_while_the_broker_hangs():
    with temporary_broker() as broker:
        topic = make_topic(broker, "pictures", partitions=1)
        send_all(broker, topic, [b"%d" % number for number in range(4)])
        one = Running(broker, topic, "group")
        one.wait_for(4)
        broker.pause()
        one.settle_all()
        one.end()
        assert one.failure is None
        broker.resume()


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
