"""`produce` and `requeue` without a broker."""

import errno
from pathlib import Path

import pytest
from kafka import KafkaAdminClient
from kafka.errors import KafkaError

from classifyd.core.errors import PublishUnavailable
from classifyd.publish.kafka import PublisherConfig, Sender


def test_produce_without_a_broker_says_what_to_set(classifyd):
    ended = classifyd("produce", "cat.jpg", "--topic", "pictures")
    assert ended.code == 2
    assert "set kafka.bootstrap_servers or --bootstrap-servers" in ended.err


def test_produce_without_a_topic_says_what_to_set(classifyd):
    ended = classifyd("produce", "cat.jpg", "--bootstrap-servers", "127.0.0.1:9")
    assert ended.code == 2
    assert "set kafka.input.topic or --topic" in ended.err


def test_produce_tells_that_the_broker_does_not_answer(classifyd, monkeypatch):
    monkeypatch.setattr("classifyd.publish.kafka.sender.CONNECT_TIMEOUT", 0.2)
    ended = classifyd("produce", "cat.jpg", "--topic", "t", "--bootstrap-servers", "127.0.0.1:9")
    assert ended.code == 1
    assert "Kafka does not answer at 127.0.0.1:9" in ended.err


def test_dead_letters_without_a_broker_say_what_to_set(classifyd):
    ended = classifyd("requeue", "--dead-letters")
    assert ended.code == 2
    assert "kafka.bootstrap_servers" in ended.err


def test_dead_letters_are_read_over_the_consumers_proxy(classifyd, monkeypatch):
    asked = []

    def open_letters(connection, topic, group_id):
        asked.append((connection["socks5_proxy"], topic, group_id))
        raise PublishUnavailable("Kafka is away")

    monkeypatch.setattr("classifyd.publish.kafka.open_letters", open_letters)
    Path("classifyd.toml").write_text(
        '[kafka]\nbootstrap_servers = ["a:1"]\n[kafka.input]\ntopic = "in"\n'
        '[kafka.consumer]\nsocks5_proxy = "socks5://p:1080"\n'
    )
    assert classifyd("requeue", "--dead-letters", "--config", "classifyd.toml").code == 1
    assert asked == [("socks5://p:1080", "in.dead-letter", "classifyd.requeue")]


def test_a_topics_limit_is_asked_over_the_producers_proxy(monkeypatch):
    asked = []

    class Admin:
        DEFAULT_CONFIG = KafkaAdminClient.DEFAULT_CONFIG

        def __init__(self, **arguments):
            asked.append(arguments)
            raise KafkaError

    monkeypatch.setattr("classifyd.publish.kafka.sender.opened", lambda _client, _arguments: None)
    monkeypatch.setattr("classifyd.publish.kafka.sender.KafkaAdminClient", Admin)
    options = {"socks5_proxy": "socks5://p:1080", "linger_ms": 5}
    assert Sender(PublisherConfig({"bootstrap_servers": ["a:1"]}, options)).limit("t") is None
    assert asked == [{"bootstrap_servers": ["a:1"], "socks5_proxy": "socks5://p:1080"}]


def test_paths_and_dead_letters_exclude_each_other(classifyd):
    ended = classifyd("requeue", "a.jpg", "--dead-letters")
    assert ended.code == 2
    assert "one of them" in ended.err


def test_failed_files_go_back_into_the_inbox(classifyd):
    failed = Path("data/failed/a")
    failed.mkdir(parents=True)
    (failed / "cat.jpg").write_bytes(b"cat")
    (failed / "cat.jpg.error.json").write_text('{"path": "a/cat.jpg"}')
    ended = classifyd("requeue")
    assert (ended.code, ended.out.strip()) == (0, "1 put back, 0 left")
    assert Path("data/inbox/a/cat.jpg").read_bytes() == b"cat"


@pytest.mark.parametrize("given", ["data/failed/a/cat.jpg", "a/cat.jpg"])
def test_a_failed_file_may_be_chosen(classifyd, given):
    failed = Path("data/failed/a")
    failed.mkdir(parents=True)
    (failed / "cat.jpg").write_bytes(b"cat")
    (failed / "cat.jpg.error.json").write_text('{"path": "a/cat.jpg"}')
    ended = classifyd("requeue", given)
    assert (ended.code, ended.out.strip()) == (0, "1 put back, 0 left")
    assert Path("data/inbox/a/cat.jpg").exists()


def test_a_chosen_file_that_did_not_fail_is_named(classifyd):
    ended = classifyd("requeue", "nope.jpg")
    assert (ended.code, ended.out.strip()) == (1, "0 put back, 1 left")
    assert "nope.jpg: no failed picture of that name lies in" in ended.err


def test_a_file_that_cannot_go_back_is_named(classifyd, monkeypatch):
    def refuse(*_arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("classifyd.operations.requeue_files.move_where_seen", refuse)
    failed = Path("data/failed")
    failed.mkdir(parents=True)
    (failed / "cat.jpg").write_bytes(b"cat")
    (failed / "cat.jpg.error.json").write_text('{"path": "cat.jpg"}')
    ended = classifyd("requeue")
    assert (ended.code, ended.out.strip()) == (1, "0 put back, 1 left")
    assert "cat.jpg: No space left on device" in ended.err
