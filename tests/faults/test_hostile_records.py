"""Records that were made to harm, end to end: a real broker takes them, and a real daemon reads them."""

from collections.abc import Iterator
from pathlib import Path

import lz4.frame
import pytest
from kafka import KafkaProducer

from tests.faults.site import BOUND, Site
from tests.integration.kafka.support import committed, producing
from verification.faults import evidence
from verification.faults.oracle import Produced
from verification.kit.broker import Broker
from verification.kit.process import memory

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(400)]

BOMB = 400 * 2**20
MEMORY = 150 * 2**20
"""Bytes by which reading a bomb may have the daemon grow."""


@pytest.fixture
def site(tmp_path: Path, broker: Broker) -> Iterator[Site]:
    settings = {"CLASSIFYD_LIMITS__MAX_BYTES": "4MiB", "CLASSIFYD_INTAKE__MAX_BYTES": "32MiB"}
    with Site(tmp_path / "work", broker, settings) as site:
        yield site


def send(site: Site, producer: KafkaProducer, partition: int, data: bytes, **options: object) -> None:
    where = producer.send(site.pictures, data, partition=partition, **options).get(timeout=BOUND)
    good = data.startswith(b"\xff\xd8")
    site.produced.append(Produced(where.partition, where.offset, evidence.sha256(data), good))


def others_flow_past_it(site: Site, told: str) -> None:
    """The first partition stands before its second record, which is told; the other one flows."""
    site.daemon.wait_until_told(
        "kafka", f"partition 0, offset 1 cannot be read: [Error 2] CorruptRecordError: {told}"
    )
    with producing(site.broker) as producer:
        for _ in range(5):
            send(site, producer, 1, site.picture())
    site.wait_for_rows(6)
    site.daemon.wait_until(
        lambda: committed(site.broker, site.group, site.pictures) == {0: 1, 1: 5}, BOUND, "committed"
    )
    assert site.ask() == 200
    assert len(site.daemon.rows()) == 7


def test_a_batch_that_cannot_be_decompressed_stops_its_partition_alone(site, monkeypatch):
    """Its content's checksum is wrong, which a broker does not look at."""

    def damaged(data: bytes) -> bytes:
        return lz4.frame.compress(bytes(data), content_checksum=True, block_linked=False)[:-4] + bytes(4)

    with producing(site.broker, compression_type="lz4") as producer:
        send(site, producer, 0, site.picture())
        monkeypatch.setattr("kafka.record.default_records.lz4_encode", damaged)
        producer.send(site.pictures, site.picture() + bytes(5000), partition=0).get(timeout=BOUND)
    others_flow_past_it(site, "RuntimeError")


def test_a_bomb_stops_its_partition_alone_and_takes_no_memory(site):
    with producing(site.broker, compression_type="zstd", max_request_size=2 * BOMB) as producer:
        send(site, producer, 0, site.picture())
        site.wait_for_rows(1)
        before = memory(site.daemon.pid, "VmRSS")
        producer.send(site.pictures, bytes(BOMB), partition=0).get(timeout=BOUND)
    others_flow_past_it(site, "its batch is larger than 8388608 bytes once it is decompressed")
    assert memory(site.daemon.pid) - before < MEMORY


def test_thousands_of_headers_and_huge_ones_are_borne_and_repeated_by_dead_letters(site):
    many = [(f"name-{number}", b"%d" % number) for number in range(20_000)]
    huge = [("huge", b"h" * 900_000)]
    with producing(site.broker) as producer:
        for partition, headers in enumerate((many, huge)):
            send(site, producer, partition, site.picture(), headers=headers, key=b"k" * 50_000)
            send(site, producer, partition, site.picture(good=False), headers=headers)
    site.wait_until_whole()
    assert site.violations() == []
    repeated = [letter.headers for letter in site.messages("letters")]
    assert {len(headers) for headers in repeated} == {20_007, 8}
    assert [headers["huge"] for headers in repeated if "huge" in headers] == [b"h" * 900_000]
