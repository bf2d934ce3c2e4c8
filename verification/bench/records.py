"""2: records of a topic through the answer-at-once server into rows and messages, offsets committed."""

import itertools
import shutil
import time
from pathlib import Path

from kafka import KafkaAdminClient, KafkaProducer

from verification.bench import photos
from verification.bench.figures import Figure, at_least, side_by_side
from verification.bench.processes import BOUND, answering_at_once, daemon, first_read, run
from verification.bench.scale import Scale
from verification.faults.evidence import committed, unpublished
from verification.kit.broker import Broker, temporary_broker

PARTITIONS = 4
TOPIC, OUTPUT = "pictures", "outcomes"
LOOK = 0.005
"""Seconds between two looks for the end."""


def measure(scale: Scale, folder: Path) -> list[Figure]:
    """Pictures per second, from the first record read to the last message published and the last offset
    committed; start-up and joining the group are not counted."""
    groups = (f"group-{number}" for number in itertools.count())
    with answering_at_once() as url, temporary_broker() as broker:
        _produce(broker, scale.records)
        return [
            side_by_side(
                f"{scale.records:,} records of {PARTITIONS} partitions, rows and messages, committed",
                "pictures/s",
                lambda: _through_the_daemon(folder / "work", broker, next(groups), scale.records, url),
                lambda: _straight(broker, next(groups), scale.records, url),
                scale.rounds,
                at_least(1.0),
            )
        ]


def _produce(broker: Broker, count: int) -> None:
    admin = KafkaAdminClient(**broker.connection)
    topic = {"num_partitions": PARTITIONS, "replication_factor": 1}
    admin.create_topics({TOPIC: topic, OUTPUT: topic}, wait_for_metadata=True)
    admin.close()
    producer = KafkaProducer(**broker.connection, acks="all")
    for number, picture in enumerate(photos.numbered(photos.photo(), count)):
        producer.send(TOPIC, picture, key=b"%d" % number, partition=number % PARTITIONS)
    producer.flush()
    producer.close()


def _straight(broker: Broker, group: str, count: int, url: str) -> float:
    loop = ("records", url, broker.bootstrap_servers, TOPIC, OUTPUT, group, str(count))
    return float(run("verification.bench.straight", *loop))


def _through_the_daemon(folder: Path, broker: Broker, group: str, count: int, url: str) -> float:
    settings = {
        "CLASSIFYD_INBOX__ENABLED": "false",
        "CLASSIFYD_KAFKA__BOOTSTRAP_SERVERS": broker.bootstrap_servers,
        "CLASSIFYD_KAFKA__INPUT__TOPIC": TOPIC,
        "CLASSIFYD_KAFKA__INPUT__GROUP_ID": group,
        "CLASSIFYD_KAFKA__INPUT__COMMIT_INTERVAL": "100ms",
        "CLASSIFYD_KAFKA__OUTPUT__TOPIC": OUTPUT,
    }
    admin = KafkaAdminClient(**broker.connection)
    with daemon(folder, settings, "--model-url", url) as process:
        process.wait_until(lambda: process.count() >= count, BOUND, f"at {count} rows")
        # Looked at more often than a waiting test does: what is late here is counted as the daemon's time.
        process.wait_until(lambda: unpublished(process.database) == 0, BOUND, "published", LOOK)
        process.wait_until(
            lambda: sum(committed(admin, group, TOPIC).values()) >= count, BOUND, "committed", LOOK
        )
        rate = count / (time.time() - first_read(process))
    admin.close()
    shutil.rmtree(folder)
    return rate
