"""What a Kafka record's key and headers say is text: no path, no line of the log."""

import json
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.faults.hostile import CONSOLE, FORGED, HOSTILE, JPEG, NO_JPEG, check_log, stored
from tests.faults.wire import BOUND
from tests.integration.kafka.support import make_topic, producing
from verification.faults import evidence
from verification.faults.evidence import TopicReader
from verification.kit.broker import Broker
from verification.kit.daemon import DaemonProcess

Headers = list[tuple[str, bytes]]

KEYS = [*HOSTILE, b"/etc/passwd", b"../../x.jpg", b"\0", b""]
EVENT: Headers = [
    ("ce_specversion", b"1.0"),
    ("ce_type", b"x"),
    ("ce_id", b"../../../etc/passwd"),
    ("ce_subject", b"../../x\x1b[2J.jpg"),
    ("ce_source", f"/etc/passwd\n{FORGED}".encode()),
]
FORGED_TYPE: Headers = [("content-type", f"application/cloudevents\n{FORGED}\x1b[2J".encode())]

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(240)]


def send(broker: Broker, topic: str, records: Iterable[tuple[bytes, bytes, Headers]]) -> None:
    with producing(broker) as producer:
        for sent in [producer.send(topic, value, key, headers) for key, value, headers in records]:
            sent.get(timeout=BOUND)


def records(broker: Broker, topic: str) -> list:
    with TopicReader(broker.connection, topic) as reader:
        return list(reader.records())


def test_keys_and_headers_of_records_are_but_text(tmp_path: Path, broker: Broker) -> None:
    topic = make_topic(broker, "hostile-names", 1)
    letters = make_topic(broker, f"{topic}.dead-letter", 1)
    output = make_topic(broker, "hostile-outcomes", 1)
    settings = {
        **CONSOLE,
        "CLASSIFYD_KAFKA__BOOTSTRAP_SERVERS": broker.bootstrap_servers,
        "CLASSIFYD_KAFKA__INPUT__TOPIC": topic,
        "CLASSIFYD_KAFKA__INPUT__GROUP_ID": topic,
        "CLASSIFYD_KAFKA__OUTPUT__TOPIC": output,
    }
    good = [(key, JPEG, []) for key in KEYS]
    bad = [
        *((key, NO_JPEG, []) for key in KEYS),
        (b"no event", JPEG, EVENT[2:]),
        (b"type", JPEG, FORGED_TYPE),
    ]
    sent = [*good, (b"event", JPEG, EVENT), *bad]
    with DaemonProcess(tmp_path / "home", settings) as daemon:
        send(broker, topic, sent)
        daemon.wait_until(lambda: daemon.count() == len(sent), BOUND, f"at {len(sent)} rows")
        daemon.wait_until(lambda: not evidence.unpublished(daemon.database), BOUND, "published")
        assert daemon.stop() == 0

    assert not stored(daemon)
    assert {path.name for path in tmp_path.iterdir()} == {"home"}
    assert {path.name for path in (tmp_path / "home").iterdir()} == {"data", "daemon.log"}
    for row in daemon.rows():
        assert len((row["name"] or "").splitlines()) <= 1
        assert row["path"] is None
        assert (row["error_detail"] or "").isprintable()
    check_log(daemon)

    outcomes = records(broker, output)
    assert sorted(record.key for record in outcomes) == sorted(key for key, _value, _headers in sent)
    for record in outcomes:
        assert len((json.loads(record.value)["name"] or "").splitlines()) <= 1
        for name, content in record.headers:
            assert len(content.decode().splitlines()) == 1, (
                name,
                content,
            )  # and none is empty: CloudEvents 1.0
    dead = records(broker, letters)
    assert sorted((letter.key, letter.value) for letter in dead) == sorted(
        (key, value) for key, value, _headers in bad
    )
