"""No cycle of waits: with the smallest limits everywhere all three sources are worked off side by side."""

import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import orjson
import pytest

from tests.faults.site import BOUND, Site
from verification.faults import evidence
from verification.faults.oracle import Answered
from verification.kit.broker import Broker
from verification.kit.pictures import jpeg
from verification.kit.serving import ServingStandIn

FILES, RECORDS, REQUESTS, CLIENTS = 333, 333, 334, 4
BAD = 7
"""Of the files and of the records, each."""
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
    "MODELS__RESNET__ENGINE": "tfserving",
    "HTTP__PUBLISH": "true",
    # One record a request takes its time: nobody is to lose patience over it.
    "KAFKA__INPUT__SESSION_TIMEOUT": "30s",
    "KAFKA__CONSUMER__REQUEST_TIMEOUT_MS": "30000",
    "KAFKA__PRODUCER__REQUEST_TIMEOUT_MS": "30000",
    "KAFKA__PRODUCER__DELIVERY_TIMEOUT_MS": "120000",
}

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(360)]


class Clients:
    """Clients that post pictures side by side, and come again when and as often as they are told to; then
    they note what they were answered."""

    def __init__(self, url: str, pictures: list[bytes], answered: list[Answered]) -> None:
        self._answered = answered
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
                    result = orjson.loads(response.read())["id"]
                    self._answered.append(Answered(200, result, evidence.sha256(picture)))
                    return
            except urllib.error.HTTPError as error:
                with error:
                    if error.code not in (429, 503):
                        raise AssertionError(f"{error.code}: {error.read()!r}") from error
                    self.told_to_wait.append(error.code)
                    self._given_up.wait(float(error.headers["Retry-After"]))


class Smallest(Site):
    """A daemon with the smallest limits, and pictures within them."""

    def __init__(self, folder: Path, broker: Broker, model_url: str) -> None:
        settings = {**SMALLEST, "MODELS__RESNET__URL": model_url}
        super().__init__(folder, broker, {f"CLASSIFYD_{key}": value for key, value in settings.items()})

    def picture(self, good: bool = True) -> bytes:
        self._number += 1
        return jpeg("green", (16, 16), comment=b"%d" % self._number) if good else b"%d" % self._number

    @contextmanager
    def working(self) -> Iterator[Clients]:
        """The daemon runs, and has a thousand pictures from all sides before it."""
        self.produce(RECORDS - BAD, BAD)
        self.drop(FILES - BAD, BAD)
        pictures = [self.picture() for _ in range(REQUESTS)]
        with self, Clients(self.daemon.url, pictures, self.answered) as clients:
            yield clients

    def sound_at_the_end(self, clients: Clients) -> None:
        """Everything is answered, put away, committed and published; it stops in order, and the oracle finds
        nothing."""
        clients.wait()
        self.wait_until_whole()
        assert self.daemon.stop() == 0
        assert len(self.answered) == REQUESTS
        assert self.violations() == []


@pytest.fixture
def site(tmp_path: Path, broker: Broker, serving: ServingStandIn) -> Smallest:
    return Smallest(tmp_path / "work", broker, serving.url)


def test_the_smallest_limits_work_off_a_thousand_pictures_from_all_sources_at_once(site):
    with site.working() as clients:
        site.sound_at_the_end(clients)
    assert 429 in clients.told_to_wait


def test_so_they_do_when_the_model_goes_away_and_comes_back_in_the_middle(site, serving, recovery):
    with site.working() as clients:
        third = (FILES + RECORDS + REQUESTS) // 3
        site.daemon.wait_until(lambda: site.daemon.count() >= third, BOUND, "a third done")
        serving.stop()
        site.daemon.wait_until(lambda: 503 in clients.told_to_wait, BOUND, "telling a client to come later")
        serving.start()
        recovered = recovery("the model was away while every limit was one")
        site.daemon.wait_until_ready()
        recovered()
        site.sound_at_the_end(clients)
