"""The main job, from end to end: a real daemon, a real broker, a real database, real pictures."""

import json
import os
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import jsonschema
import orjson
import pytest
from kafka import KafkaConsumer, TopicPartition

from tests.integration.kafka.support import administration, committed, make_topic, send_all
from verification.kit.broker import Broker
from verification.kit.daemon import DaemonProcess

CHECKOUT = Path(__file__).parents[2]
PICTURES = CHECKOUT.parent / "shared" / "data" / "cifar10-jpeg.zip"
PARTITIONS = 4
EACH = 500
BOUND = 180.0

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(400)]


@pytest.fixture(scope="module")
def pictures() -> list[tuple[str, bytes]]:
    """CIFAR-10 test pictures with their classes, all classes alike."""
    if not PICTURES.exists():
        reason = f"the CIFAR-10 pictures are not at {PICTURES}"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    with zipfile.ZipFile(PICTURES) as archive:
        names = sorted(name for name in archive.namelist() if "test/" in name and name.endswith(".jpg"))
        chosen = names[:: len(names) // (2 * EACH)][: 2 * EACH]
        return [(name.split("/")[-2], archive.read(name)) for name in chosen]


class Job:
    """A daemon between a topic of pictures and a topic of outcomes."""

    def __init__(self, folder: Path, broker: Broker, connection: dict[str, str] | None = None) -> None:
        name = uuid4().hex[:8]
        self.broker = broker
        self.pictures = make_topic(broker, f"pictures-{name}", PARTITIONS)
        self.outcomes = make_topic(broker, f"outcomes-{name}", PARTITIONS)
        make_topic(broker, f"pictures-{name}.dead-letter", 1)
        self.group = f"group-{name}"
        self.daemon = DaemonProcess(
            folder,
            {
                "CLASSIFYD_KAFKA__BOOTSTRAP_SERVERS": broker.bootstrap_servers,
                "CLASSIFYD_KAFKA__INPUT__TOPIC": self.pictures,
                "CLASSIFYD_KAFKA__INPUT__GROUP_ID": self.group,
                "CLASSIFYD_KAFKA__OUTPUT__TOPIC": self.outcomes,
                **(connection or {}),
            },
        )

    def drop(self, pictures: list[tuple[str, bytes]]) -> None:
        for number, (label, data) in enumerate(pictures):
            folder = self.daemon.inbox / label
            folder.mkdir(parents=True, exist_ok=True)
            partial = folder / f"{number}.part"
            partial.write_bytes(data)
            partial.rename(folder / f"{number}.jpg")

    def wait_for(self, count: int) -> None:
        self.daemon.wait_until(lambda: self.daemon.count() >= count, BOUND, f"at {count} rows")

    def messages(self) -> list[tuple[dict[str, bytes], dict[str, object]]]:
        """Everything on the output topic, as an independent consumer reads it."""
        consumer = KafkaConsumer(
            **self.broker.connection, isolation_level="read_committed", auto_offset_reset="earliest"
        )
        try:
            partitions = [TopicPartition(self.outcomes, number) for number in range(PARTITIONS)]
            consumer.assign(partitions)
            ends = consumer.end_offsets(partitions)
            found = []
            while any(consumer.position(partition) < ends[partition] for partition in partitions):
                for records in consumer.poll(timeout_ms=1000).values():
                    found += [(dict(record.headers), orjson.loads(record.value)) for record in records]
            return found
        finally:
            consumer.close()

    def lag(self) -> dict[int, int]:
        """By partition, how far the group's committed offset is from the log's end."""
        offsets = committed(self.broker, self.group, self.pictures)
        with administration(self.broker) as admin:
            ends = {
                where.partition: end.offset
                for where, end in admin.list_partition_offsets(
                    {TopicPartition(self.pictures, number): -1 for number in range(PARTITIONS)}
                ).items()
            }
        return {partition: end - offsets.get(partition, 0) for partition, end in ends.items()}


@pytest.fixture
def job(tmp_path: Path, broker: Broker) -> Iterator[Job]:
    job = Job(tmp_path / "work", broker)
    with job.daemon:
        yield job


def test_a_thousand_pictures_survive_a_kill_in_the_middle(job, pictures):
    dropped, produced = pictures[:EACH], pictures[EACH:]
    send_all(job.broker, job.pictures, [data for _label, data in produced])
    job.drop(dropped)
    job.daemon.wait_until(lambda: job.daemon.count() >= EACH // 2, BOUND, "half way through a source")
    job.daemon.kill()
    job.daemon.start()
    job.wait_for(2 * EACH)
    ids = {row["id"] for row in job.daemon.rows()}
    job.daemon.wait_until(lambda: not _pending(job.daemon), BOUND, "published")
    job.daemon.wait_until(lambda: not any(job.lag().values()), BOUND, "committed to the log's end")
    assert job.daemon.stop() == 0

    rows = job.daemon.rows()
    assert len(rows) == len({row["origin"] for row in rows}) == 2 * EACH
    assert {row["status"] for row in rows} == {"classified"}
    assert {row["source"] for row in rows} == {"folder", "kafka"}
    assert sum(path.is_file() for path in job.daemon.done.rglob("*")) == EACH
    assert not list(job.daemon.inbox.rglob("*.jpg"))
    assert _accuracy(rows, produced) >= _measured_accuracy() - 0.04

    schema = json.loads((CHECKOUT / "docs" / "result.schema.json").read_text())
    messages = job.messages()
    assert {headers["ce_id"].decode() for headers, _value in messages} == ids
    for headers, value in messages:
        jsonschema.validate(value, schema)
        assert headers["ce_id"].decode() == value["id"]


def _pending(daemon: DaemonProcess) -> bool:
    return bool(daemon.rows("SELECT 1 FROM outbox WHERE published_at IS NULL LIMIT 1"))


def _accuracy(rows: list[dict], produced: list[tuple[str, bytes]]) -> float:
    """Of all pictures; a dropped one's class is its folder, a produced one's key its number."""
    right = sum(
        row["label"]
        == (row["path"].split("/")[0] if row["source"] == "folder" else produced[int(row["name"])][0])
        for row in rows
    )
    return right / len(rows)


def _measured_accuracy() -> float:
    card = tomllib.loads((CHECKOUT / "models" / "resnet_cifar10" / "model.toml").read_text())
    return float(card["accuracy"]["top1"])


def test_a_few_pictures_over_sasl_ssl(tmp_path, broker, pictures):
    secured = broker.secured_connection()
    job = Job(
        tmp_path / "work",
        broker,
        {
            "CLASSIFYD_KAFKA__BOOTSTRAP_SERVERS": secured["bootstrap_servers"],
            "CLASSIFYD_KAFKA__SECURITY_PROTOCOL": secured["security_protocol"],
            "CLASSIFYD_KAFKA__SASL_MECHANISM": secured["sasl_mechanism"],
            "CLASSIFYD_KAFKA__SASL_PLAIN_USERNAME": secured["sasl_plain_username"],
            "CLASSIFYD_KAFKA__SASL_PLAIN_PASSWORD": secured["sasl_plain_password"],
            "CLASSIFYD_KAFKA__SSL_CAFILE": secured["ssl_cafile"],
        },
    )
    with job.daemon:
        send_all(job.broker, job.pictures, [data for _label, data in pictures[:5]])
        job.wait_for(5)
        job.daemon.wait_until(lambda: not _pending(job.daemon), BOUND, "published")
        assert job.daemon.stop() == 0
    assert len(job.messages()) == 5
    assert secured["sasl_plain_password"] not in job.daemon.log.read_text()
