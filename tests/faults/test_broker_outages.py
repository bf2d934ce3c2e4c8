"""Outages of the broker, end to end: a real daemon and a real broker that hangs, dies, and loses topics."""

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.site import BOUND, Site, outlast_the_session
from verification.faults import evidence
from verification.kit.broker import Broker
from verification.kit.instant import instant_server
from verification.kit.process import memory

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(400)]

MANY = 20_000
HOUR = 200 * 2**20
"""Bytes by which a daemon may grow while an hour's worth of results waits, and while it is published."""


@pytest.fixture
def site(tmp_path: Path, unsteady: Broker) -> Iterator[Site]:
    with Site(tmp_path / "work", unsteady) as site:
        yield site


def work_without_the_broker(site: Site) -> None:
    """The folder and HTTP go on while the broker is away, and `/readyz` tells it."""
    before = site.daemon.count()
    site.drop(20)
    assert site.ask() == 200
    site.wait_for_rows(before + 21)
    site.daemon.wait_until_told("kafka", "check that the broker runs")
    assert evidence.unpublished(site.daemon.database) >= 20
    assert site.ask() == 200


def test_a_broker_that_hangs_for_longer_than_the_session(site, unsteady, recovery):
    site.produce(40, bad=4)
    site.wait_until_whole()
    site.produce(40, bad=4)
    unsteady.pause()
    try:
        began = time.monotonic()
        work_without_the_broker(site)
        outlast_the_session(began)
    finally:
        unsteady.resume()
    recovered = recovery("Kafka: the broker hung for longer than the session")
    site.wait_until_whole()
    recovered()
    site.produce(10)
    site.wait_until_whole()
    assert site.violations() == []


def test_an_input_topic_that_is_deleted_and_created_again(site, recovery):
    site.produce(40)
    site.wait_until_whole()
    site.replace_pictures()
    site.produce(10)
    recovered = recovery("Kafka: the input topic was deleted and created again")
    site.wait_until_whole()
    recovered()
    assert site.violations() == []


def test_an_input_topic_that_is_already_longer_than_the_offset_when_its_successor_is_noticed(site, recovery):
    site.produce(20)
    site.wait_until_whole()
    site.daemon.signal(signal.SIGSTOP)
    try:
        site.replace_pictures()
        site.produce(60)
    finally:
        site.daemon.signal(signal.SIGCONT)
    recovered = recovery("Kafka: the input topic was replaced by one that is longer than the offset")
    site.wait_until_whole()
    recovered()
    assert site.violations() == []


def test_an_output_topic_that_is_missing_at_the_start_and_deleted_later(tmp_path, unsteady, recovery):
    site = Site(tmp_path / "work", unsteady, topics={"outcomes": None})
    with site:
        site.drop(10)
        site.produce(10, bad=2)
        site.daemon.wait_until_told("outbox", f"topic {site.outcomes} does not exist: create it")
        site.wait_for_rows(22)
        site.daemon.wait_until(lambda: len(site.messages("letters")) == 2, BOUND, "publishing dead letters")
        site.make("outcomes")
        recovered = recovery("Kafka: the output topic was missing at the start, and created")
        site.wait_until_whole()
        recovered()
        assert site.violations() == []
        published = {message.id for message in site.messages("outcomes")}

        site.delete("outcomes")
        site.drop(10)
        site.daemon.wait_until_told("outbox", f"topic {site.outcomes}")
        site.wait_for_rows(32)
        site.make("outcomes")
        recovered = recovery("Kafka: the output topic was deleted, and created again")
        site.wait_until_whole()
        recovered()
        assert site.violations_at_rest() == []
        ids = {row.id for row in evidence.rows(site.daemon.database)}
        assert {message.id for message in site.messages("outcomes")} == ids - published


def test_messages_over_the_brokers_limit(tmp_path, unsteady, recovery):
    tiny = {"outcomes": {"max_message_bytes": "300"}, "letters": {"max_message_bytes": "1500"}}
    site = Site(tmp_path / "work", unsteady, topics=tiny)
    with site:
        site.produce(10, bad=5)
        site.produce_record(b"no picture" + bytes(5000))
        site.produce_record(b"no picture", headers=[("camera", b"n" * 2000)], key=b"k")
        site.produce_record(b"no picture", key=b"k" * 3000)
        site.drop(10)
        site.daemon.wait_until_told("outbox", "larger than the broker takes")
        site.wait_for_rows(28)
        site.daemon.wait_until(lambda: len(site.messages("letters")) == 8, BOUND, "publishing dead letters")
        assert site.messages("outcomes") == []
        site.configure("outcomes", max_message_bytes="100000")
        recovered = recovery("Kafka: outcomes were larger than their topic takes, and the limit was raised")
        site.wait_until_whole()
        recovered()
        assert site.violations() == []
        omitted = [
            {name for name in letter.headers if name.endswith("-omitted")}
            for letter in site.messages("letters")
        ]
        assert omitted.count(set()) == 5
        assert omitted.count({"classifyd-value-omitted"}) == 1
        assert omitted.count({"classifyd-value-omitted", "classifyd-headers-omitted"}) == 1
        assert sum("classifyd-key-omitted" in one for one in omitted) == 1


def test_a_broker_that_is_away_for_an_hours_worth_of_results(tmp_path, unsteady, recovery):
    with instant_server() as model:
        settings = {
            "CLASSIFYD_MODELS__RESNET__ENGINE": "tfserving",
            "CLASSIFYD_MODELS__RESNET__URL": model,
        }
        site = Site(tmp_path / "work", unsteady, settings, {"outcomes": {"partitions": 1}})
        with site:
            site.produce(40, bad=4)
            site.drop(500)
            site.wait_until_whole()
            before = memory(site.daemon.pid, "VmRSS")
            site.produce(40, bad=4)
            unsteady.kill()
            try:
                work_without_the_broker(site)
                site.drop(MANY)
                site.daemon.wait_until(
                    lambda: evidence.unpublished(site.daemon.database) >= MANY, BOUND, f"at {MANY} results"
                )
                site.daemon.wait_until_told("outbox", "check that the broker runs")
                assert site.ask() == 200
            finally:
                unsteady.start()
            recovered = recovery(f"Kafka: the broker was killed and was away for {MANY:,} results")
            site.daemon.wait_until(
                lambda: not evidence.unpublished(site.daemon.database), BOUND, "the outbox drained"
            )
            site.wait_until_whole()
            recovered()
            assert memory(site.daemon.pid, "VmHWM") - before < HOUR
            site.produce(10)
            site.wait_until_whole()
            assert site.violations() == []
            assert _in_order(site)


def _in_order(site: Site) -> bool:
    """Whether the outcomes came to their only partition in the outbox's order; what was sent again counts
    where it came first."""
    recorded = site.daemon.rows(
        f"SELECT result_id FROM outbox WHERE topic = '{site.outcomes}' ORDER BY position"
    )
    told = list(dict.fromkeys(message.id for message in site.messages("outcomes")))
    return told == [row["result_id"] for row in recorded]
