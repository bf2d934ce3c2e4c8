"""A folder source at work on real files, before an intake and a database that are played by the test."""

import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image as Pillow
from ulid import ULID

from classifyd.core.credits import Credits
from classifyd.core.errors import StoreUnavailable
from classifyd.core.gate import Limits
from classifyd.core.values import Candidate, Delivery, Prediction, Result, Settlement
from classifyd.sources.folder import FolderConfig, FolderSource

BOUND = 20.0


def jpeg(shade: int = 0, size: int = 32) -> bytes:
    """A small picture; another one for every shade."""
    data = BytesIO()
    Pillow.new("RGB", (size, size), (shade % 256, shade // 256, 99)).save(data, "JPEG")
    return data.getvalue()


def until(condition: Callable[[], Any], what: str = "the condition") -> Any:
    """Waits for a condition, with a bound."""
    deadline = time.monotonic() + BOUND
    pause = threading.Event()
    while not (value := condition()):
        assert time.monotonic() < deadline, f"{what} did not come true"
        pause.wait(0.005)
    return value


class Intake:
    """Records every delivery at once, or keeps it while `held`; answers `retries` of them with RETRY."""

    def __init__(self, ledger: "Ledger", max_items: int = 64, max_bytes: int = 1 << 24) -> None:
        self._ledger = ledger
        self._credits = Credits(max_items, max_bytes)
        self._room = threading.Condition()
        self.closed: str | None = None
        self.held = False
        self.retries = 0
        self.offered: list[Delivery] = []
        self.most = 0

    @property
    def items(self) -> int:
        return self._credits.items

    def reserve(self, size: int, timeout: float = 0.0) -> bool:
        with self._room:
            taken = self._room.wait_for(lambda: self.closed is None and self._credits.take(size), timeout)
            self.most = max(self.most, self._credits.items)
            return taken

    def release(self, size: int) -> None:
        with self._room:
            self._credits.give_back(size)
            self._room.notify_all()

    def offer(self, *deliveries: Delivery) -> None:
        for delivery in deliveries:
            self._take(delivery)

    def _take(self, delivery: Delivery) -> None:
        self.offered.append(delivery)
        if self.retries:
            self.retries -= 1
            delivery.settle(Settlement.retry("not now"))
        elif not self.held:
            self.finish(delivery)

    def finish(self, delivery: Delivery) -> None:
        delivery.settle(Settlement.of(self._ledger.record(delivery)))


class Ledger:
    """The database: one row per origin."""

    def __init__(self) -> None:
        self.rows: dict[str, Result] = {}
        self.asked = 0
        self._failures = 0

    def fail_twice(self) -> None:
        """The next two questions meet a locked database."""
        self._failures = 2

    def known(self, keys: Collection[str]) -> Mapping[str, Result]:
        if self._failures:
            self._failures -= 1
            raise StoreUnavailable("database is locked")
        self.asked += 1
        return {key: self.rows[key] for key in keys if key in self.rows}

    def record(self, delivery: Delivery) -> Result:
        key = delivery.image.origin.key
        if key not in self.rows:
            result = result_of(delivery)
            self.rows[key] = replace(result, stored_path=delivery.place(result))
        return self.rows[key]


def result_of(delivery: Delivery) -> Result:
    image = delivery.image
    prediction = Prediction((Candidate(3, "cat", 0.9),), "resnet", "1")
    return Result(
        id=str(ULID()),
        origin=image.origin,
        outcome=delivery.refusal or prediction,
        model="resnet",
        sha256=image.sha256,
        size_bytes=image.size_bytes,
        width=image.width,
        height=image.height,
        received_at=image.received_at,
        classified_at=datetime.now(UTC),
    )


@dataclass
class Part:
    """Remembers what it was told."""

    told: list[str] = field(default_factory=list)

    def up(self, detail: str = "") -> None:
        self.told.append("up")

    def down(self, reason: str) -> None:
        self.told.append(reason)

    @property
    def last(self) -> str:
        return self.told[-1] if self.told else ""


class World:
    """An inbox, `done` and `failed` below one folder, and the life of one daemon at a time."""

    def __init__(self, top: Path) -> None:
        self.top = top
        self.inbox, self.done, self.failed = top / "inbox", top / "done", top / "failed"
        self.ledger = Ledger()
        self.intake = Intake(self.ledger)
        self.part = Part()
        self.source: FolderSource
        self._threads: list[threading.Thread] = []
        self.errors: list[BaseException] = []

    @property
    def today(self) -> Path:
        return self.done / datetime.now(UTC).date().isoformat()

    def start(
        self, instance: str = "ONE", once: bool = False, limits: Limits | None = None, **settings: Any
    ) -> FolderSource:
        """Starts a daemon's folder source; quick settings unless told otherwise."""
        settings = {
            "path": self.inbox,
            "done": self.done,
            "failed": self.failed,
            "settle_time": 0.05,
            "incomplete_timeout": 0.4,
            "rescan_interval": 60.0,
            "poll_interval": 0.1,
        } | settings
        self.source = FolderSource(
            FolderConfig(**settings),
            self.intake,
            self.ledger,
            instance,
            self.part,
            limits or Limits(),
            lambda: datetime.now(UTC),
            once,
        )
        self._threads = [self._thread(service) for service in (self.source, self.source.mover)]
        return self.source

    def _thread(self, service: Any) -> threading.Thread:
        def run() -> None:
            try:
                service.run()
            except BaseException as error:  # noqa: BLE001 (told by the fixture)
                self.errors.append(error)

        thread = threading.Thread(target=run, name=service.name, daemon=True)
        thread.start()
        return thread

    def stop(self) -> None:
        """Stops it as the supervisor does."""
        if self._threads:
            self.source.drain()
            self.source.mover.stop()
            self.source.stop()
            for thread in self._threads:
                thread.join(BOUND)
                assert not thread.is_alive(), f"{thread.name} did not stop"
            self._threads = []

    def ended(self) -> None:
        """Waits until a single run has ended by itself."""
        self._threads[0].join(BOUND)
        assert not self._threads[0].is_alive(), "the single run did not end"

    def restart(self, **settings: Any) -> None:
        """What a crash leaves: the files and the database; all that was in memory is lost."""
        self.stop()
        self.intake = Intake(self.ledger)
        self.part = Part()
        self.start(**settings)

    def watched(self) -> None:
        """Waits until the inbox is watched and scanned, so that what follows comes as events."""
        until(lambda: self.part.last == "up" and self.source._finder.quiet, "the first scan")

    def rows(self, count: int) -> list[Result]:
        """Waits for so many rows, all of them settled."""
        until(lambda: len(self.ledger.rows) >= count and not self.intake.items, f"{count} rows")
        until(lambda: not self.source._under_way, "settling")
        assert len(self.ledger.rows) == count
        return list(self.ledger.rows.values())

    def files(self, folder: Path) -> dict[str, bytes]:
        """All files below a folder by relative path, the daemon's own lock left out."""
        return {
            str(path.relative_to(folder)): path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.is_file() and not path.is_symlink() and path.suffix != ".lock"
        }
