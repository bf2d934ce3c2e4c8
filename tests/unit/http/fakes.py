"""A model, results and health that live in memory, and a client for an application over them."""

import io
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import anyio
import httpx
from PIL import Image as Pillow
from ulid import ULID

from classifyd.core.errors import StoreUnavailable
from classifyd.core.gate import Limits
from classifyd.core.values import (
    Candidate,
    Delivery,
    ModelInfo,
    Outcome,
    PartState,
    Prediction,
    Result,
    Settlement,
)
from classifyd.http import HttpConfig, create_app

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
LABELS = ("background", "cat", "dog")
PREDICTION = Prediction(
    (Candidate(1, "cat", 0.75), Candidate(2, "dog", 0.2), Candidate(0, "background", 0.05)), "resnet", "7"
)


def jpeg(size=(32, 24), colour="red", form="JPEG"):
    target = io.BytesIO()
    Pillow.new("RGB", size, colour).save(target, form)
    return target.getvalue()


def recorded(delivery: Delivery, outcome: Outcome = PREDICTION) -> Result:
    image = delivery.image
    return Result(
        id=str(ULID()),
        origin=image.origin,
        outcome=outcome,
        model="resnet",
        sha256=image.sha256,
        size_bytes=image.size_bytes,
        width=image.width,
        height=image.height,
        received_at=image.received_at,
        classified_at=NOW + timedelta(seconds=1),
    )


def answered(delivery: Delivery) -> Settlement:
    return Settlement.of(recorded(delivery))


class FakeInlet:
    """Settles each delivery from another thread with what `settlement` makes of it, or never on None."""

    def __init__(self, settlement: Callable[[Delivery], Settlement | None]) -> None:
        self.settlement = settlement
        self.closed: str | None = None
        self.full = False
        self.credits: list[int] = []
        self.deliveries: list[Delivery] = []
        self._changed = threading.Condition()

    def reserve(self, size, timeout=0.0):
        if self.full or self.closed:
            return False
        with self._changed:
            self.credits.append(size)
            self._changed.notify_all()
        return True

    def release(self, size):
        with self._changed:
            self.credits.remove(size)
            self._changed.notify_all()

    def offer(self, *deliveries):
        for delivery in deliveries:
            self.deliveries.append(delivery)
            settlement = self.settlement(delivery)
            if settlement is not None:
                threading.Thread(target=delivery.settle, args=[settlement], name="fake-recorder").start()

    def any_reserved(self):
        with self._changed:
            return self._changed.wait_for(lambda: self.credits, timeout=5)

    def all_released(self):
        with self._changed:
            return self._changed.wait_for(lambda: not self.credits, timeout=5)


class FakeModel:
    def __init__(self, name="resnet", settlement=answered):
        self.name = name
        self.engine = "onnx"
        self.inlet = FakeInlet(settlement)
        self.info: ModelInfo | None = ModelInfo(name, "onnx", "7", LABELS)

    @property
    def away(self):
        return self.inlet.closed


class FakeResults:
    """Holds results; `broken` makes the database fail."""

    def __init__(self, results=()):
        self.results = sorted(results, key=lambda result: result.id, reverse=True)
        self.broken = False
        self.wanted = None

    def get(self, result_id):
        self._fail()
        return next((result for result in self.results if result.id == result_id), None)

    def page(self, wanted, limit, before=None):
        self._fail()
        self.wanted = wanted
        return [result for result in self.results if before is None or result.id < before][:limit]

    def _fail(self):
        if self.broken:
            raise StoreUnavailable("the disk is gone")


@dataclass
class FakeHealth:
    states: dict[str, PartState] = field(
        default_factory=lambda: {"resnet": PartState(True, "", NOW), "kafka": PartState(True, "", NOW)}
    )
    stopping: bool = False

    def parts(self):
        return self.states

    @property
    def ready(self):
        return not self.stopping and all(state.up for state in self.states.values())


class World:
    """An application over fakes."""

    def __init__(self, config=None, limits=None, results=(), settlement=answered, new_id=lambda: str(ULID())):
        self.model = FakeModel(settlement=settlement)
        self.other = FakeModel("other")
        self.results = FakeResults(results)
        self.health = FakeHealth()
        self.app = create_app(
            models={"resnet": self.model, "other": self.other},
            results=self.results,
            health=self.health,
            config=config or HttpConfig(),
            limits=limits or Limits(),
            clock=lambda: NOW,
            new_id=new_id,
        )

    @property
    def inlet(self):
        return self.model.inlet

    def client(self, **options) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        return httpx.AsyncClient(transport=transport, base_url="http://localhost", **options)

    def request(self, method, path, **options) -> httpx.Response:
        """One request, on an event loop of its own."""

        async def send():
            async with self.client() as client:
                return await client.request(method, path, **options)

        return anyio.run(send)

    def get(self, path, **options):
        return self.request("GET", path, **options)

    def post(self, path, **options):
        return self.request("POST", path, **options)
