"""No cycle of waits: with the smallest limits everywhere all three sources are worked off side by side."""

import random
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import orjson
import pytest

from classifyd.engines.bundled import bundled_model
from classifyd.engines.onnx import OnnxClassifier, OnnxConfig
from tests.integration.kafka.support import committed, make_topic
from verification.faults import evidence, oracle
from verification.faults.evidence import TopicReader
from verification.faults.feeder import Feeder
from verification.faults.oracle import Folders
from verification.kit.broker import Broker
from verification.kit.daemon import DaemonProcess
from verification.kit.pictures import jpeg
from verification.kit.serving import ServingStandIn

FILES, RECORDS, REQUESTS, CLIENTS = 333, 333, 334, 4
PARTITIONS = 3
BOUND = 120.0
LARGEST = 1024
"""Bytes of a picture: those here have some 700."""

SMALLEST = {
    "INTAKE__MAX_ITEMS": "1",
    "INTAKE__MAX_BYTES": f"{LARGEST}B",
    "LIMITS__MAX_BYTES": f"{LARGEST}B",
    "LIMITS__MAX_PIXELS": "256px",
    "LIMITS__MAX_SCANS": "1",
    "MODELS__RESNET__CONCURRENCY": "1",
    "MODELS__RESNET__MAX_BATCH": "1",
    "MODELS__RESNET__MAX_BATCH_BYTES": "1B",
    "MODELS__RESNET__TOP_K": "1",
    "KAFKA__CONSUMER__MAX_POLL_RECORDS": "1",
    "KAFKA__CONSUMER__RECEIVE_BUFFER_BYTES": "4096",
    "KAFKA__PRODUCER__BATCH_SIZE": "1",
    "KAFKA__PRODUCER__SEND_BUFFER_BYTES": "4096",
    "KAFKA__INPUT__COMMIT_INTERVAL": "10ms",
    "INBOX__SETTLE_TIME": "0ms",
    "DATABASE__OUTBOX_RETENTION": "0ms",
}

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(360)]


class Clients:
    """Clients that post pictures side by side, and come again when and as often as they are told to.

    What was answered is kept by the picture's hash.
    """

    def __init__(self, url: str, pictures: list[bytes]) -> None:
        self.answered: dict[str, str] = {}
        self.told_to_wait: list[int] = []
        self._url = f"{url}/classify/resnet?top=1"
        self._given_up = threading.Event()
        self._pool = ThreadPoolExecutor(CLIENTS, thread_name_prefix="client")
        self._sent = [self._pool.submit(self._post, picture) for picture in pictures]

    def __enter__(self) -> "Clients":
        return self

    def __exit__(self, *_exception: object) -> None:
        self._given_up.set()
        self._pool.shutdown(cancel_futures=True)

    def wait(self) -> None:
        """Until all are answered; raises what went wrong."""
        for one in self._sent:
            one.result(BOUND)

    def _post(self, picture: bytes) -> None:
        request = urllib.request.Request(self._url, picture, {"Content-Type": "image/jpeg"}, method="POST")
        while not self._given_up.is_set():
            try:
                with urllib.request.urlopen(request, timeout=BOUND) as response:
                    self.answered[evidence.sha256(picture)] = orjson.loads(response.read())["id"]
                    return
            except urllib.error.HTTPError as error:
                with error:
                    if error.code not in (429, 503):
                        raise AssertionError(f"{error.code}: {error.read()!r}") from error
                    self.told_to_wait.append(error.code)
                    self._given_up.wait(float(error.headers["Retry-After"]))


class World:
    """A daemon with the smallest limits between a topic, an inbox and clients."""

    def __init__(self, folder: Path, broker: Broker, model_url: str) -> None:
        name = uuid4().hex[:8]
        self.broker = broker
        self.pictures = make_topic(broker, f"pictures-{name}", PARTITIONS)
        self.outcomes = make_topic(broker, f"outcomes-{name}", PARTITIONS)
        self.letters = make_topic(broker, f"pictures-{name}.dead-letter", 1)
        self.group = f"group-{name}"
        settings = {
            **SMALLEST,
            "KAFKA__BOOTSTRAP_SERVERS": broker.bootstrap_servers,
            "KAFKA__INPUT__TOPIC": self.pictures,
            "KAFKA__INPUT__GROUP_ID": self.group,
            "KAFKA__OUTPUT__TOPIC": self.outcomes,
            "HTTP__PUBLISH": "true",
            "MODELS__RESNET__ENGINE": "tfserving",
            "MODELS__RESNET__URL": model_url,
        }
        self.daemon = DaemonProcess(folder, {f"CLASSIFYD_{key}": value for key, value in settings.items()})
        self.daemon.inbox.mkdir(parents=True)
        self.feeder = Feeder(broker.connection, self.pictures, self.daemon.inbox, random.Random(7))

    @contextmanager
    def working(self) -> Iterator[Clients]:
        """The daemon runs, and has a thousand pictures from all sides before it."""
        self.feeder.produce(RECORDS)
        self.feeder.drop(FILES)
        pictures = [jpeg("green", (16, 16), comment=b"request %d" % number) for number in range(REQUESTS)]
        with self.daemon, Clients(self.daemon.url, pictures) as clients:
            yield clients

    def wait_until_done(self, clients: Clients) -> None:
        """Until everything is answered, put away, committed and published."""
        clients.wait()
        self.daemon.wait_until(self._at_rest, BOUND, "at rest")

    def _at_rest(self) -> bool:
        return (
            self.daemon.count() >= FILES + RECORDS + REQUESTS
            and not self.feeder.waiting
            and not evidence.unpublished(self.daemon.database)
            and sum(committed(self.broker, self.group, self.pictures).values()) == RECORDS
        )

    def violations(self, answered: dict[str, str]) -> list[str]:
        """What the oracle finds broken; the daemon has ended."""
        inputs, rows = self.feeder.inputs, evidence.rows(self.daemon.database)
        folders = Folders(
            inbox=evidence.files(self.daemon.inbox),
            done=evidence.files(self.daemon.done),
            failed=evidence.files(self.daemon.failed),
            sidecars=frozenset(evidence.sidecars(self.daemon.failed)),
        )
        with TopicReader(self.broker.connection, self.outcomes) as reader:
            outcomes = reader.read()
        with TopicReader(self.broker.connection, self.letters) as reader:
            letters = reader.read()
        recorded = {row.sha256: row.id for row in rows if row.source == "http"}
        return [
            *oracle.rows_at_rest(inputs, rows),
            *oracle.files_at_rest(inputs, rows, folders),
            *oracle.messages(rows, outcomes),
            *oracle.dead_letters(inputs, rows, letters),
            *([] if recorded == answered else ["the answers are not what was recorded"]),
        ]


@pytest.fixture(scope="module")
def serving() -> Iterator[ServingStandIn]:
    model = OnnxClassifier(OnnxConfig("resnet", bundled_model("resnet_cifar10"), top_k=10))
    with ServingStandIn({"resnet": model}) as server:
        yield server


@pytest.fixture
def world(tmp_path: Path, broker: Broker, serving: ServingStandIn) -> Iterator[World]:
    made = World(tmp_path / "work", broker, serving.url)
    try:
        yield made
    finally:
        made.feeder.close()


def test_the_smallest_limits_work_off_a_thousand_pictures_from_all_sources_at_once(world):
    with world.working() as clients:
        world.wait_until_done(clients)
        assert world.daemon.stop() == 0
    assert world.violations(clients.answered) == []
    assert 429 in clients.told_to_wait


def test_so_they_do_when_the_model_goes_away_and_comes_back_in_the_middle(world, serving, recovery):
    with world.working() as clients:
        third = (FILES + RECORDS + REQUESTS) // 3
        world.daemon.wait_until(lambda: world.daemon.count() >= third, BOUND, "a third done")
        serving.stop()
        world.daemon.wait_until(lambda: 503 in clients.told_to_wait, BOUND, "telling a client to come later")
        serving.start()
        recovered = recovery("the model was away while every limit was one")
        world.daemon.wait_until(lambda: world.daemon.get("/readyz")[0] == 200, BOUND, "ready")
        recovered()
        world.wait_until_done(clients)
        assert world.daemon.stop() == 0
    assert world.violations(clients.answered) == []
