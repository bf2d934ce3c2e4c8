"""A daemon that asks a stand-in for TensorFlow Serving, with all that was put in, for the model's outages.

The stand-in speaks the real protocol; its model is a cheap one that decodes each picture and takes its class
from the picture's hash and its own version, so that an answer that went to another picture, or is recorded
under another version, is seen.
"""

import io
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from PIL import Image as Picture

from classifyd.core.values import Candidate, Image, ModelInfo, Prediction, Reason, Rejected
from tests.faults.site import BOUND, Site
from tests.faults.wire import metric
from verification.faults import evidence, oracle
from verification.kit.broker import Broker
from verification.kit.pictures import jpeg, without_segment
from verification.kit.serving import ServingStandIn
from verification.kit.serving.protocol import Answer, Request

CLASSES = 10
CLIENTS = 4
TIMEOUT = "3s"
"""A seventh of the default, so that a server that hangs is noticed as much sooner."""

MODEL = "model:resnet"
_SOUND = jpeg("green")
_UNDECODABLE = without_segment(_SOUND, 0xDB)
"""Passes the gate, which decodes nothing, and no decoder: without quantisation tables."""


class Asked(NamedTuple):
    """What a request got: its status, the class of a 200, and the header of a refusal."""

    status: int
    classes: int | None
    retry_after: str | None


class Valve:
    """Holds a model's predictions back while it is closed, so that a test knows what is under way."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._closed = False
        self._held: set[str] = set()

    def pass_through(self, hashes: set[str]) -> None:
        with self._changed:
            self._held |= hashes
            self._changed.notify_all()
            self._changed.wait_for(lambda: not self._closed, BOUND)
            self._held -= hashes

    def close(self) -> None:
        with self._changed:
            self._closed = True

    def open(self) -> None:
        with self._changed:
            self._closed = False
            self._changed.notify_all()

    def wait_for(self, hashes: set[str], others: int) -> None:
        """Waits until these pictures are held, and so many others."""
        with self._changed:
            held = self._changed.wait_for(
                lambda: hashes <= self._held and len(self._held - hashes) >= others, BOUND
            )
            assert held, f"{len(self._held)} pictures are with the model"


class HashModel:
    """A `Classifier` for the stand-in."""

    name = "resnet"

    def __init__(self, version: int, valve: Valve, classes: int = CLASSES) -> None:
        self._version = version
        self._valve = valve
        self._classes = classes

    def classify(self, images: Sequence[Image]) -> list[Prediction | Rejected]:
        self._valve.pass_through({evidence.sha256(image.data) for image in images})
        return [self._answer(image.data) for image in images]

    def _answer(self, data: bytes) -> Prediction | Rejected:
        try:
            Picture.open(io.BytesIO(data)).load()
        except OSError as error:
            return Rejected(Reason.REFUSED_BY_MODEL, str(error))
        best = class_of(evidence.sha256(data), self._version) % self._classes
        return Prediction((Candidate(best, str(best), 1.0),), self.name, str(self._version))

    def probe(self) -> ModelInfo:
        return ModelInfo(self.name, "stand-in", str(self._version), tuple(map(str, range(self._classes))))

    def close(self) -> None:
        """It holds nothing."""


def class_of(sha256: str, version: int) -> int:
    """What version `version` says of a picture."""
    return (int(sha256[:8], 16) + version) % CLASSES


class ModelSite(Site):
    """Pictures come from the inbox, from a topic and by HTTP. Bad ones pass the gate; the model refuses
    them."""

    def __init__(self, folder: Path, broker: Broker, settings: dict[str, str] | None = None) -> None:
        self.valve = Valve()
        self.server = ServingStandIn({"resnet": HashModel(1, self.valve)})
        self.server.start()
        self.version = 1
        labels = folder / "labels.txt"
        folder.mkdir(parents=True, exist_ok=True)
        labels.write_text("".join(f"class {number}\n" for number in range(CLASSES)))
        super().__init__(
            folder,
            broker,
            {
                "CLASSIFYD_MODELS__RESNET__URL": self.server.url,
                "CLASSIFYD_MODELS__RESNET__LABELS": str(labels),
                "CLASSIFYD_MODELS__RESNET__TIMEOUT": TIMEOUT,
                "CLASSIFYD_MODELS__RESNET__VERSION_REFRESH": "500ms",
                **(settings or {}),
            },
        )
        self._clients = ThreadPoolExecutor(CLIENTS)

    def close(self) -> None:
        """Ends the model server and the clients; after the daemon."""
        self._clients.shutdown()
        self.server.stop()

    def picture(self, good: bool = True) -> bytes:
        self._number += 1
        return (_SOUND if good else _UNDECODABLE) + b"%d" % self._number

    def ask_for(self, data: bytes) -> Asked:
        """Has this picture classified over HTTP."""
        answer = self.post(data)
        return Asked(answer.status_code, answer.json().get("classes"), answer.headers.get("Retry-After"))

    @contextmanager
    def under_way(self, pictures: int) -> Iterator[list[Future[Asked]]]:
        """Until the block ends the model holds a request by HTTP, and of so many pictures each from inbox and
        topic at least one; the rest waits in the daemon, further requests by HTTP too. Gives the requests."""
        self.valve.close()
        try:
            self.put(pictures)
            data = self.picture()
            requests = [self._clients.submit(self.ask_for, data)]
            self.valve.wait_for({evidence.sha256(data)}, others=1)
            requests += [self._clients.submit(self.ask_for, self.picture()) for _ in range(CLIENTS - 1)]
            self.daemon.wait_until(lambda: self._interactive() == CLIENTS, BOUND, "under way")
            yield requests
        finally:
            self.valve.open()

    def _interactive(self) -> float:
        return metric(self.daemon, 'classifyd_intake_items{lane="interactive",model="resnet"}')

    def load(self, version: int, classes: int = CLASSES) -> None:
        """Has the server serve another version beside those it serves."""
        self.server.servables.load("resnet", version, HashModel(version, self.valve, classes))

    def detail(self) -> str:
        """What `/readyz` tells of the model."""
        _status, answer = self.daemon.get("/readyz")
        return str(answer["parts"][MODEL]["detail"])

    def suspects(self) -> float:
        """How many pictures are set aside, as the metrics tell."""
        return metric(self.daemon, 'classifyd_suspects{model="resnet"}')

    @property
    def recorded(self) -> set[str]:
        """The hashes of the pictures that have a row."""
        return {str(row.sha256) for row in evidence.rows(self.daemon.database)}

    def offsets_past_a_hole(self) -> list[str]:
        """What the oracle finds in the offsets that are committed now."""
        with self.administration() as admin:
            committed = evidence.committed(admin, self.group, self.pictures)
        return oracle.offsets(self.inputs, evidence.rows(self.daemon.database), committed)

    def violations(self) -> list[str]:
        """What the oracle finds, and every row whose class is not what its version says of its picture."""
        rows = self.daemon.rows(
            "SELECT id, sha256, class_index, model_version FROM results WHERE status = 'classified'"
        )
        wrong = [
            f"row {row['id']}: class {row['class_index']} is not what version {row['model_version']} says"
            for row in rows
            if row["class_index"] != class_of(row["sha256"], int(row["model_version"]))
        ]
        wrong += [
            f"row {row.id}: rejected as {row.error_code}"
            for row in evidence.rows(self.daemon.database)
            if row.error_code not in (None, "refused_by_model")
        ]
        return super().violations() + wrong


class Crash:
    """A fault that takes the server down; something starts it again after `away` seconds."""

    def __init__(self, server: ServingStandIn, away: float) -> None:
        self._server = server
        self._away = away
        self._lock = threading.Lock()
        self._restart: threading.Timer | None = None
        self.count = 0

    def __call__(self, _request: Request, answer: Answer) -> Answer:
        with self._lock:
            if self._restart is None or not self._restart.is_alive():
                self.count += 1
                self._server.stop()
                self._restart = threading.Timer(self._away, self._server.start)
                self._restart.start()
        return replace(answer, reset_after=0)

    def over(self) -> None:
        """Waits until the server runs again."""
        with self._lock:
            if self._restart is not None:
                self._restart.join(BOUND)
