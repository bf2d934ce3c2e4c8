"""Stopping: in order and in time, whatever hangs; what was not finished is finished by the next start."""

import itertools
import json
import signal
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
from kafka.errors import RetriableError

from classifyd.core.values import Prediction
from classifyd.engines.bundled import bundled_model
from classifyd.engines.onnx import OnnxClassifier
from tests.faults.site import PARTITIONS, Site
from tests.integration.kafka.support import wait_until
from verification.faults import evidence, oracle
from verification.faults.oracle import Answered
from verification.kit.broker import Broker
from verification.kit.pictures import image, jpeg
from verification.kit.serving import ServingStandIn, faults

STOP_TIMEOUT = 10.0
IN_TIME = STOP_TIMEOUT + 20.0  # a loaded machine takes its time to start and end threads and processes
AT_ONCE = 20.0
BOUND = 90.0
FILES = RECORDS = 150
MORE = 20
CLIENTS = 4
COLOURS = ("red", "green", "blue", "white", "black", "orange", "teal", "purple")

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def labels(classifier: OnnxClassifier) -> Mapping[str, str]:
    """The right answer for a picture of each colour."""
    pictures = [image(jpeg(colour)) for colour in COLOURS]
    answers = [answer for answer in classifier.classify(pictures) if isinstance(answer, Prediction)]
    return {colour: answer.best.label for colour, answer in zip(COLOURS, answers, strict=True)}


class Busy(Site):
    """A site that has more to do than it can, from all three sources."""

    def __init__(self, folder: Path, broker: Broker, model_url: str, stop_timeout: str, **more: str) -> None:
        settings = {
            "STOP_TIMEOUT": stop_timeout,
            "MODELS__RESNET__ENGINE": "tfserving",
            "MODELS__RESNET__URL": model_url,
            "MODELS__RESNET__LABELS": str(bundled_model("resnet_cifar10") / "labels.txt"),
            "MODELS__RESNET__MAX_BATCH": "4",
            "KAFKA__INPUT__COMMIT_INTERVAL": "10m",  # what is committed is committed by stopping
            **more,
        }
        super().__init__(folder, broker, {f"CLASSIFYD_{name}": value for name, value in settings.items()})
        self._numbers = itertools.count(1)

    def picture(self, good: bool = True) -> bytes:
        """A picture of a colour of its own number."""
        assert good
        return self.coloured(next(self._numbers))

    @staticmethod
    def coloured(number: int) -> bytes:
        return jpeg(COLOURS[number % len(COLOURS)]) + b"%d" % number

    def next_picture(self) -> tuple[str, bytes]:
        """The colour and the picture of the next number; safe from any thread."""
        number = next(self._numbers)
        return COLOURS[number % len(COLOURS)], self.coloured(number)

    def rows_of(self, source: str) -> int:
        return sum(row.source == source for row in evidence.rows(self.daemon.database))

    @property
    def worked_off(self) -> bool:
        """Whether everything is recorded and published, and every file put away."""
        return (
            self.rows_of("folder") >= len(self.dropped)
            and self.rows_of("kafka") >= len(self.produced)
            and not evidence.unpublished(self.daemon.database)
            and not any(evidence.paths(self.daemon.inbox))
        )

    @property
    def claimed_keys(self) -> set[str]:
        """The origins of the files that are claimed."""
        return evidence.claimed_keys(self.daemon.inbox)

    def committed(self) -> dict[int, int]:
        """By partition the committed offset; waits for a broker that has just come back."""
        found: dict[int, int] = {}

        def told() -> bool:
            try:
                found.update(evidence.committed(admin, self.group, self.pictures))
            except RetriableError:
                return False
            return True

        with self.administration() as admin:
            wait_until(told, "the committed offsets", BOUND)
        return {partition: found.get(partition, 0) for partition in range(PARTITIONS)}

    def first_without_a_row(self) -> dict[int, int]:
        """By partition the offset of the first record that is not recorded."""
        recorded = {(row.partition, row.offset) for row in evidence.rows(self.daemon.database)}
        return {
            partition: next(offset for offset in itertools.count() if (partition, offset) not in recorded)
            for partition in range(PARTITIONS)
        }


class Clients:
    """Clients that post without a pause; the site keeps what each was answered."""

    def __init__(self, site: Busy, labels: Mapping[str, str]) -> None:
        self.wrong: list[str] = []
        self._site = site
        self._labels = labels
        self._over = threading.Event()
        self._pool = ThreadPoolExecutor(CLIENTS, thread_name_prefix="client")
        self._running = [self._pool.submit(self._post_on) for _ in range(CLIENTS)]

    def __enter__(self) -> "Clients":
        return self

    def __exit__(self, *_exception: object) -> None:
        self._over.set()
        self._pool.shutdown()
        for one in self._running:
            one.result()

    def _post_on(self) -> None:
        with requests.Session() as session:
            while not self._over.is_set():
                colour, data = self._site.next_picture()
                status, answer = self._post(session, data)
                self._site.answered.append(Answered(status, answer.get("id", ""), evidence.sha256(data)))
                if status == 200 and answer["label"] != self._labels[colour]:
                    self.wrong.append(f"{colour}: {answer}")
                elif status not in (0, 200, 429, 503):
                    self.wrong.append(f"{status}: {answer}")
                elif status != 200:
                    self._over.wait(0.1)

    def _post(self, session: requests.Session, data: bytes) -> tuple[int, dict[str, Any]]:
        url = f"{self._site.daemon.url}/classify/resnet?top=1"
        try:
            answer = session.post(url, data, headers={"Content-Type": "image/jpeg"}, timeout=BOUND)
            return answer.status_code, answer.json()
        except requests.RequestException:  # refused, closed or cut off
            return 0, {}

    def count(self, status: int) -> int:
        return sum(one.status == status for one in list(self._site.answered))


@contextmanager
def hanging(site: Busy, serving: ServingStandIn) -> Iterator[None]:
    """The model answers for no picture any more, and more of them have come; it is sound again at the end."""
    serving.script(faults.hang())
    site.drop(MORE)
    site.produce(MORE)
    site.daemon.wait_until(lambda: len(site.claimed_keys) >= MORE, BOUND, "holding files")
    yield
    serving.stop()
    serving.heal()
    serving.start()


def busy(site: Busy, clients: Clients) -> None:
    """Waits until outcomes of all three sources are recorded, with more to come."""
    site.daemon.wait_until(
        lambda: site.rows_of("folder") >= 20 and site.rows_of("kafka") >= 20 and clients.count(200) >= 20,
        BOUND,
        "busy with all three sources",
    )


def stopped(site: Busy, bound: float = IN_TIME) -> int:
    """Its exit code after SIGTERM; fails when it has not ended in time."""
    started = time.monotonic()
    site.daemon.signal(signal.SIGTERM)
    code = site.daemon.wait()
    assert time.monotonic() - started < bound
    return code


def finished_by_the_next_start(site: Busy, clients: Clients, unfinished: set[str]) -> None:
    """What was claimed is recorded under the same keys, what was recorded stands, and nothing is missing."""
    before = {row.id: row for row in evidence.rows(site.daemon.database)}
    site.daemon.start()
    site.daemon.wait_until(lambda: site.worked_off, BOUND, "worked off")
    assert site.daemon.stop() == 0
    rows = evidence.rows(site.daemon.database)
    # Records that were recorded before and came again may not have been read by then: their offsets stay.
    assert oracle.offsets(site.inputs, rows, site.committed()) == []
    assert unfinished <= {row.origin for row in rows}
    assert before.items() <= {row.id: row for row in rows}.items()
    assert site.violations() == []
    assert clients.wrong == []


@pytest.fixture
def site(tmp_path: Path, unsteady: Broker, serving: ServingStandIn) -> Iterator[Busy]:
    site = Busy(tmp_path / "work", unsteady, serving.url, f"{STOP_TIMEOUT:.0f}s")
    with site:
        yield site


def test_under_full_load(site: Busy, labels: Mapping[str, str]) -> None:
    site.drop(FILES)
    site.produce(RECORDS)
    with Clients(site, labels) as clients:
        busy(site, clients)
        assert stopped(site) == 0, site.daemon.tail()
    rows = evidence.rows(site.daemon.database)
    assert site.rows_of("folder") + site.rows_of("kafka") < FILES + RECORDS, "there was nothing left to do"
    assert oracle.offsets(site.inputs, rows, site.committed()) == []
    assert site.committed() == site.first_without_a_row()
    assert evidence.unpublished(site.daemon.database) == 0
    finished_by_the_next_start(site, clients, site.claimed_keys)


def test_while_the_model_hangs(site: Busy, labels: Mapping[str, str], serving: ServingStandIn) -> None:
    site.drop(FILES)
    site.produce(RECORDS)
    with Clients(site, labels) as clients:
        busy(site, clients)
        with hanging(site, serving):
            assert stopped(site) == 0, site.daemon.tail()
    unfinished = site.claimed_keys
    assert unfinished
    assert site.committed() == site.first_without_a_row()
    finished_by_the_next_start(site, clients, unfinished)


def test_a_second_signal_ends_it_at_once(
    tmp_path: Path, unsteady: Broker, serving: ServingStandIn, labels: Mapping[str, str]
) -> None:
    with Busy(tmp_path / "work", unsteady, serving.url, "10m") as site:
        site.drop(FILES)
        site.produce(RECORDS)
        with Clients(site, labels) as clients:
            busy(site, clients)
            with hanging(site, serving):
                site.daemon.signal(signal.SIGTERM)
                site.daemon.wait_until_logged("stopping")
                assert stopped(site, AT_ONCE) == 128 + signal.SIGTERM
        unfinished = site.claimed_keys
        assert unfinished
        assert oracle.offsets(site.inputs, evidence.rows(site.daemon.database), site.committed()) == []
        finished_by_the_next_start(site, clients, unfinished)


@pytest.mark.parametrize("away", ["paused", "killed"])
def test_while_the_broker_is_away(site: Busy, labels: Mapping[str, str], unsteady: Broker, away: str) -> None:
    site.drop(FILES)
    site.produce(RECORDS)
    with Clients(site, labels) as clients:
        busy(site, clients)
        unsteady.pause() if away == "paused" else unsteady.kill()
        try:
            assert stopped(site) == 0, site.daemon.tail()
        finally:
            unsteady.resume() if away == "paused" else unsteady.start()
    rows = evidence.rows(site.daemon.database)
    assert oracle.offsets(site.inputs, rows, site.committed()) == []
    finished_by_the_next_start(site, clients, site.claimed_keys)


def spoil_the_outbox(database: Path, topic: str) -> None:
    """What another program did to the daemon's tables: a message that no relay can read."""
    with closing(sqlite3.connect(database, timeout=BOUND)) as other, other:
        other.execute(
            "INSERT INTO outbox (result_id, topic, headers, value)"
            " SELECT id, ?, 'no JSON', x'00' FROM results LIMIT 1",
            (topic,),
        )


def mend_the_outbox(database: Path) -> None:
    with closing(sqlite3.connect(database, timeout=BOUND)) as other, other:
        other.execute("DELETE FROM outbox WHERE headers = 'no JSON'")


def last_word(line: str, form: str) -> bool:
    """Whether a line of the log tells which part died and why."""
    if form == "json":
        told = json.loads(line)
        return (told["level"], told["event"], told["part"]) == (
            "critical",
            "a part died; the daemon stops",
            "relay",
        ) and told["reason"].startswith("JSONDecodeError: ")
    return "a part died; the daemon stops" in line and "relay" in line and "JSONDecodeError: " in line


@pytest.mark.parametrize("form", ["json", "console"])
def test_a_part_that_raises_ends_it_with_the_reason_as_the_last_line(
    tmp_path: Path, unsteady: Broker, serving: ServingStandIn, labels: Mapping[str, str], form: str
) -> None:
    site = Busy(tmp_path / "work", unsteady, serving.url, f"{STOP_TIMEOUT:.0f}s", LOG__FORMAT=form)
    with site:
        site.drop(FILES)
        site.produce(RECORDS)
        with Clients(site, labels) as clients:
            busy(site, clients)
            spoil_the_outbox(site.daemon.database, site.outcomes)
            assert site.daemon.wait() == 1, site.daemon.tail()
        lines = site.daemon.log.read_text().splitlines()
        assert last_word(lines[-1], form), site.daemon.tail()
        mend_the_outbox(site.daemon.database)
        finished_by_the_next_start(site, clients, site.claimed_keys)
