"""What goes out to a real broker: the publisher, `produce` and `requeue`."""

from datetime import UTC, datetime
from uuid import uuid4

import pytest

from classifyd.core.errors import ConfigurationError, MessageTooLarge, PublishUnavailable
from classifyd.core.messages import dead_letter, reduced
from classifyd.core.values import Message, Origin, Pending, Reason, Record, Rejected, Result, Source
from classifyd.operations.produce import produce
from classifyd.operations.requeue_letters import requeue_letters
from classifyd.publish.kafka import KafkaPublisher, PublisherConfig, Sender, open_letters
from tests.integration.kafka.support import consumed, make_topic

pytestmark = pytest.mark.kafka

TOO_MUCH = 3 * 2**20  # the broker takes 2 MiB
NOW = datetime(2026, 1, 31, tzinfo=UTC)


@pytest.fixture
def topic(broker):
    return make_topic(broker, f"out-{uuid4().hex[:12]}", partitions=1)


@pytest.fixture
def publisher(broker):
    one = KafkaPublisher(PublisherConfig(broker.connection))
    yield one
    one.close(5.0)


def pending(topic, values, first=1):
    return [
        Pending(position, Message(topic, b"key", (("name", b"header"),), value))
        for position, value in enumerate(values, first)
    ]


def test_messages_arrive_in_order_with_key_and_headers(broker, topic, publisher):
    values = [b"%d" % number for number in range(500)]
    outcomes = publisher.publish(pending(topic, values), 20.0)
    assert set(outcomes.values()) == {None}
    found = consumed(broker, topic, 500)
    assert [one.value for one in found] == values
    assert (found[0].key, found[0].headers) == (b"key", [("name", b"header")])


def test_a_message_over_the_brokers_limit_fails_alone(broker, topic, publisher):
    other = make_topic(broker, f"other-{topic}", partitions=1)
    messages = [*pending(topic, [b"x" * TOO_MUCH]), *pending(other, [b"%d" % n for n in range(50)], 2)]
    outcomes = publisher.publish(messages, 20.0)
    assert isinstance(outcomes.pop(1), MessageTooLarge)
    assert set(outcomes.values()) == {None}
    assert len(consumed(broker, other, 50)) == 50


def test_what_follows_a_failed_message_waits_behind_it(topic, publisher):
    outcomes = publisher.publish(pending(topic, [b"first", b"x" * TOO_MUCH, b"third"]), 20.0)
    assert outcomes[1] is None
    assert isinstance(outcomes[2], MessageTooLarge)
    assert isinstance(outcomes[3], PublishUnavailable)
    assert "behind" in str(outcomes[3])
    assert publisher.publish(pending(topic, [b"fourth"], 4), 20.0) == {4: None}


def test_a_missing_topic_blocks_only_itself(topic, publisher):
    missing = f"missing-{topic}"
    messages = [*pending(missing, [b"lost", b"lost"]), *pending(topic, [b"arrives"], 3)]
    outcomes = publisher.publish(messages, 20.0)
    assert isinstance(outcomes[1], PublishUnavailable)
    assert str(outcomes[1]) == f"Kafka topic {missing} does not exist: create it"
    assert isinstance(outcomes[2], PublishUnavailable)
    assert outcomes[3] is None


def test_a_broker_that_is_away_at_first_is_no_error_of_construction():
    publisher = KafkaPublisher(PublisherConfig({"bootstrap_servers": "127.0.0.1:9"}))
    outcomes = publisher.publish(pending("out", [b"1"]), 0.5)
    assert isinstance(outcomes[1], PublishUnavailable)
    publisher.close(1.0)


def test_settings_that_can_never_work_are_told_as_such():
    publisher = KafkaPublisher(PublisherConfig({"bootstrap_servers": "127.0.0.1:9"}, {"no_such_key": 1}))
    with pytest.raises(ConfigurationError, match="no_such_key"):
        publisher.publish(pending("out", [b"1"]), 0.5)


def test_files_are_produced_under_their_names(broker, topic, tmp_path):
    names = ["cat.jpg", "a dog.jpg", "caf\udce9.jpg"]
    for name in names:
        (tmp_path / name).write_bytes(name.encode("utf-8", "surrogateescape"))
    (tmp_path / "huge.jpg").write_bytes(b"x" * TOO_MUCH)
    files = [tmp_path / name for name in ["huge.jpg", "absent.jpg", *names]]
    with Sender(PublisherConfig(broker.connection)) as sender:
        outcomes = {one.path.name: one.problem for one in produce(files, topic, sender)}
    assert [outcomes[name] for name in names] == [None, None, None]
    assert "2,097,152 bytes that the topic takes" in outcomes["huge.jpg"]
    assert outcomes["absent.jpg"] == "cannot be read: No such file or directory"
    assert {one.key for one in consumed(broker, topic, 3)} == {b"cat.jpg", b"a dog.jpg", b"caf%E9.jpg"}


def test_producing_to_a_missing_topic_ends_with_the_reason(broker, tmp_path):
    (tmp_path / "cat.jpg").write_bytes(b"cat")
    with (
        Sender(PublisherConfig(broker.connection)) as sender,
        pytest.raises(PublishUnavailable, match="nowhere does not exist: create it"),
    ):
        list(produce([tmp_path / "cat.jpg"], "nowhere", sender))


def letter_of(record, letters):
    origin = Origin(Source.KAFKA, "kafka:key", None, None, record.topic, record.partition, record.offset)
    rejected = Rejected(Reason.EMPTY, "no bytes")
    result = Result("01BX5ZZKBKACTAV9WEVGEMMVRZ", origin, rejected, "m", None, 0, None, None, NOW, NOW)
    return dead_letter(result, record, letters)


def requeued(broker, letters, group, sender):
    """Whether each letter that was read went back."""
    with open_letters(broker.connection, letters, group) as opened:
        return [one.problem is None for one in requeue_letters(opened, sender)]


def test_dead_letters_go_back_to_their_topic_once(broker, topic):
    letters, group = make_topic(broker, f"{topic}.dead-letter"), f"{topic}.requeue"
    records = [
        Record(topic, 0, 0, b"a", b"first", (("camera", b"north"),)),
        Record(topic, 0, 1, None, b"second", (("nothing", None),)),
    ]
    config = PublisherConfig(broker.connection)
    with Sender(config) as sender:
        sent = [letter_of(record, letters) for record in records]
        sent += [reduced(sent[0]), Message(letters, None, (), b"foreign")]
        assert all(error is None for _, error in sender.send_all(enumerate(sent)))
        assert sorted(requeued(broker, letters, group, sender)) == [False, False, True, True]
        assert requeued(broker, letters, group, sender) == []
        later = letter_of(Record(topic, 0, 2, b"c", b"third"), letters)
        assert [error for _, error in sender.send_all([(0, later)])] == [None]
        assert requeued(broker, letters, group, sender) == [True]
    found = {one.value: one for one in consumed(broker, topic, 3)}
    assert len(found) == 3
    assert (found[b"first"].key, found[b"first"].headers) == (b"a", [("camera", b"north")])
    assert (found[b"second"].key, found[b"second"].headers) == (None, [("nothing", b"")])


def test_letters_of_a_topic_that_is_gone_stay(broker, topic):
    letters, group = make_topic(broker, f"{topic}.dead-letter"), f"{topic}.requeue"
    with Sender(PublisherConfig(broker.connection)) as sender:
        gone = letter_of(Record("gone", 0, 0, b"a", b"first"), letters)
        assert [error for _, error in sender.send_all([(0, gone)])] == [None]
        for _ in range(2):
            with (
                open_letters(broker.connection, letters, group) as opened,
                pytest.raises(PublishUnavailable, match="gone does not exist"),
            ):
                list(requeue_letters(opened, sender))


def test_a_dead_letter_topic_that_is_missing_is_told(broker):
    with (
        pytest.raises(ConfigurationError, match="does not exist"),
        open_letters(broker.connection, "none.dead-letter", "group"),
    ):
        pass


def test_a_broker_that_does_not_answer_an_operator_is_told(monkeypatch):
    monkeypatch.setattr("classifyd.publish.kafka.letters.BOOTSTRAP_MS", 200)
    monkeypatch.setattr("classifyd.publish.kafka.sender.CONNECT_TIMEOUT", 0.2)
    away = {"bootstrap_servers": "127.0.0.1:9"}
    with pytest.raises(PublishUnavailable), open_letters(away, "t", "g"):
        pass
    with pytest.raises(PublishUnavailable, match=r"does not answer at 127\.0\.0\.1:9"):
        Sender(PublisherConfig(away))
