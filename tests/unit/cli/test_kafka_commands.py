"""`produce` and `requeue` without a broker."""

import errno
from pathlib import Path

import pytest


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
