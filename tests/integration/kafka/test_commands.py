"""`classifyd produce` and `classifyd requeue --dead-letters` against a real broker."""

import sys
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from classifyd.cli import main
from classifyd.core.messages import dead_letter, reduced
from classifyd.core.values import Origin, Reason, Record, Rejected, Result, Source
from tests.integration.kafka.support import consumed, make_topic, send_message

pytestmark = pytest.mark.kafka
NOW = datetime(2026, 1, 31, tzinfo=UTC)


@pytest.fixture
def classifyd(broker, tmp_path, monkeypatch, capsys):
    """Runs a command in an empty folder whose configuration names the broker and `topic`."""
    monkeypatch.chdir(tmp_path)

    def run(topic, *arguments):
        (tmp_path / "classifyd.toml").write_text(
            f'[kafka]\nbootstrap_servers = ["{broker.bootstrap_servers}"]\n[kafka.input]\ntopic = "{topic}"\n'
        )
        monkeypatch.setattr(sys, "argv", ["classifyd", *map(str, arguments), "--config", "classifyd.toml"])
        with pytest.raises(SystemExit) as ended:
            main()
        told = capsys.readouterr()
        return ended.value.code, told.out, told.err

    return run


def test_produce_puts_files_into_the_configured_topic(broker, classifyd, tmp_path):
    topic = make_topic(broker, f"in-{uuid4().hex[:12]}")
    for name in ("cat.jpg", "dog.jpg"):
        (tmp_path / name).write_bytes(name.encode())
    (tmp_path / "huge.jpg").write_bytes(b"x" * 3 * 2**20)
    code, out, err = classifyd(topic, "produce", "cat.jpg", "huge.jpg", "dog.jpg")
    assert code == 1
    assert out.strip() == f"2 of 3 files are in topic {topic}"
    assert "huge.jpg: 3,145,728 bytes are more than the 2,097,152 bytes that the topic takes" in err
    assert {(one.key, one.value) for one in consumed(broker, topic, 2)} == {
        (b"cat.jpg", b"cat.jpg"),
        (b"dog.jpg", b"dog.jpg"),
    }


def test_requeue_puts_dead_letters_back_once(broker, classifyd):
    topic = make_topic(broker, f"in-{uuid4().hex[:12]}")
    letters = make_topic(broker, f"{topic}.dead-letter")
    origin = Origin(Source.KAFKA, "kafka:key", "cat.jpg", None, topic, 0, 0)
    outcome = Rejected(Reason.EMPTY, "no bytes")
    result = Result("01BX5ZZKBKACTAV9WEVGEMMVRZ", origin, outcome, "m", None, 0, None, None, NOW, NOW)
    send_message(broker, dead_letter(result, Record(topic, 0, 0, b"cat.jpg", b"cat"), letters))
    send_message(broker, reduced(dead_letter(result, Record(topic, 0, 0, None, b"dog"), letters)))
    code, out, err = classifyd(topic, "requeue", "--dead-letters")
    assert (code, out.strip()) == (1, "1 put back, 1 left")
    assert "it does not carry the record that it came from" in err
    assert classifyd(topic, "requeue", "--dead-letters")[:2] == (0, "0 put back, 0 left\n")
    assert [(one.key, one.value) for one in consumed(broker, topic, 1)] == [(b"cat.jpg", b"cat")]


def test_requeue_does_not_repeat_what_it_put_back_before_a_topic_was_missing(broker, classifyd):
    topic = make_topic(broker, f"in-{uuid4().hex[:12]}")
    letters = make_topic(broker, f"{topic}.dead-letter", partitions=1)
    outcome = Rejected(Reason.EMPTY, "no bytes")
    for number, (home, value) in enumerate([(topic, b"cat"), (f"{topic}.gone", b"cow"), (topic, b"dog")]):
        origin = Origin(Source.KAFKA, "kafka:key", "x.jpg", None, home, 0, number)
        result = Result("01BX5ZZKBKACTAV9WEVGEMMVRZ", origin, outcome, "m", None, 0, None, None, NOW, NOW)
        send_message(broker, dead_letter(result, Record(home, 0, number, None, value), letters))
    for _ in range(2):
        code, _, err = classifyd(topic, "requeue", "--dead-letters")
        assert code == 1
        assert f"{topic}.gone does not exist" in err
    make_topic(broker, f"{topic}.gone")
    assert classifyd(topic, "requeue", "--dead-letters")[:2] == (0, "2 put back, 0 left\n")
    assert sorted(one.value for one in consumed(broker, topic, 2)) == [b"cat", b"dog"]


def test_requeue_says_where_a_letter_lies_that_it_will_not_offer_again(broker, classifyd):
    topic = make_topic(broker, f"in-{uuid4().hex[:12]}", **{"max.message.bytes": "10000"})
    letters = make_topic(broker, f"{topic}.dead-letter", partitions=1)
    origin = Origin(Source.KAFKA, "kafka:key", "cat.jpg", None, topic, 0, 0)
    outcome = Rejected(Reason.EMPTY, "no bytes")
    result = Result("01BX5ZZKBKACTAV9WEVGEMMVRZ", origin, outcome, "m", None, 0, None, None, NOW, NOW)
    send_message(broker, dead_letter(result, Record(topic, 0, 0, None, b"x" * 20_000), letters))
    code, out, err = classifyd(topic, "requeue", "--dead-letters")
    assert (code, out.strip()) == (1, "0 put back, 1 left")
    assert f"dead letter {letters}/0/0: " in err
    assert "it will not be offered again" in err
    assert classifyd(topic, "requeue", "--dead-letters")[:2] == (0, "0 put back, 0 left\n")
