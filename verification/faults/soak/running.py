"""A soak's daemon with all that it talks to, and the feeders."""

import random
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import TracebackType
from typing import Self

from kafka import KafkaAdminClient

from verification.faults.soak import load
from verification.faults.soak.model_server import ModelServer
from verification.faults.soak.pace import Pace
from verification.faults.soak.vitals import Vitals, rows_by_source, vitals
from verification.kit.broker import temporary_broker
from verification.kit.daemon import DaemonProcess

INPUT, OUTPUT, GROUP = "pictures", "outcomes", "soak"
DEAD_LETTERS = f"{INPUT}.dead-letter"
RETENTION = 30.0
"""Seconds that the outbox keeps what is published."""
AWAY = 5.0
"""Seconds that the model server is away each time; the broker is away for as long as it takes to start."""
CALIBRATION = 20.0
_RUN_IN = 5.0
_REST_BOUND = 900.0
_READY_BOUND = 300.0
_STEADY = 8.0  # longer than uvicorn keeps an idle connection
_STEADY_BOUND = 60.0
_STOP_BOUND = 180.0


@dataclass(frozen=True, slots=True)
class Outage:
    """Something was away from `began` until the daemon was ready again, at `over` (UNIX time)."""

    what: str
    began: float
    over: float

    def shadow(self, share: float) -> tuple[float, float]:
        """From when to when pictures wait longer for it: the backlog is worked off by what `share` leaves."""
        return self.began, self.over + (self.over - self.began) * share / (1 - share)


class Running:
    """From `with` on everything runs; `folder` is the daemon's."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder = folder
        self._seed = seed
        self._random = random.Random(seed)
        self._running = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self.broker = stack.enter_context(temporary_broker())
            self._make_topics()
            self._model = stack.enter_context(ModelServer())
            self.daemon = stack.enter_context(DaemonProcess(self.folder, self._settings()))
            self._start_feeding(stack)
            self._running = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._running.close()

    def journal(self, source: str) -> Path:
        """What the source's feeder noted."""
        return self.folder / f"fed-{source}.csv"

    def vitals(self) -> Vitals:
        """The daemon's, now."""
        return vitals(self.daemon.pid, self.daemon.database)

    def calibrate(self) -> dict[str, float]:
        """Pictures a second by source, when all three give it as many as it takes."""
        for pace in self._paces.values():
            pace.close_loop()
        self._work_off(_RUN_IN)
        before, began = rows_by_source(self.daemon.database), time.monotonic()
        self._work_off(CALIBRATION - _RUN_IN)
        after, seconds = rows_by_source(self.daemon.database), time.monotonic() - began
        return {source: (after[source] - before.get(source, 0)) / seconds for source in self._paces}

    def pace(self, rates: dict[str, float]) -> None:
        """Loads it at these rates a second from now on."""
        for source, rate in rates.items():
            self._paces[source].open_loop(rate)

    def rest(self) -> Vitals:
        """Feeds nothing more, waits until all is worked off, and looks at the daemon once it holds still."""
        for pace in self._paces.values():
            pace.rest()
        self.daemon.wait_until(self._worked_off, _REST_BOUND, "at rest")
        found, since = self.vitals(), time.monotonic()
        deadline = since + _STEADY_BOUND
        while time.monotonic() - since < _STEADY and time.monotonic() < deadline:
            self.daemon.wait_until(_in(1.0), _STEADY_BOUND, "steady")
            now = self.vitals()
            if (now.fds, now.threads) != (found.fds, found.threads):
                since = time.monotonic()
            found = now
        return found

    def outage(self, what: str) -> Outage:
        """Takes it away and gives it back; returns when the daemon is ready again."""
        began = time.time()
        if what == "broker":
            if self._random.random() < 0.5:
                self.broker.kill()
            else:
                self.broker.stop()
            self.broker.start()
        else:
            self._model.kill()
            self.daemon.wait_until(_in(AWAY), AWAY + _READY_BOUND, "without its model")
            self._model.start()
        self.daemon.wait_until(self._ready, _READY_BOUND, f"ready after the {what} was away")
        return Outage(what, began, time.time())

    def stop_feeding(self) -> None:
        """Ends the feeders, so that their journals are whole."""
        for pace in self._paces.values():
            pace.end()
        for feeder in self._feeders:
            feeder.join(_STOP_BOUND)
            if feeder.exitcode != 0:
                raise RuntimeError(f"{feeder.name} ended with {feeder.exitcode}")

    def _work_off(self, seconds: float) -> None:
        until = time.monotonic() + seconds

        def told() -> bool:
            done = rows_by_source(self.daemon.database)
            for source, pace in self._paces.items():
                pace.done(done.get(source, 0))
            return time.monotonic() >= until

        self.daemon.wait_until(told, seconds + _READY_BOUND, "working at its capacity")

    def _worked_off(self) -> bool:
        now = self.vitals()
        if now.pending or now.rows < sum(pace.fed for pace in self._paces.values()) or not self._ready():
            return False
        done = rows_by_source(self.daemon.database)
        return all(done.get(source, 0) >= pace.fed for source, pace in self._paces.items())

    def _ready(self) -> bool:
        return self.daemon.ready

    def _make_topics(self) -> None:
        admin = KafkaAdminClient(**self.broker.connection)
        try:
            four = {"num_partitions": 4, "replication_factor": 1}
            admin.create_topics(dict.fromkeys((INPUT, OUTPUT, DEAD_LETTERS), four), wait_for_metadata=True)
        finally:
            admin.close()

    def _settings(self) -> dict[str, str]:
        return {
            "CLASSIFYD_MODELS__RESNET__ENGINE": "tfserving",
            "CLASSIFYD_MODELS__RESNET__URL": self._model.url,
            "CLASSIFYD_KAFKA__BOOTSTRAP_SERVERS": self.broker.bootstrap_servers,
            "CLASSIFYD_KAFKA__INPUT__TOPIC": INPUT,
            "CLASSIFYD_KAFKA__INPUT__GROUP_ID": GROUP,
            "CLASSIFYD_KAFKA__INPUT__SESSION_TIMEOUT": "10s",
            "CLASSIFYD_KAFKA__OUTPUT__TOPIC": OUTPUT,
            "CLASSIFYD_DATABASE__OUTBOX_RETENTION": f"{RETENTION:.0f}s",
            "CLASSIFYD_HTTP__PUBLISH": "true",
            "CLASSIFYD_INBOX__INCOMPLETE_TIMEOUT": "3s",
        }

    def _start_feeding(self, stack: ExitStack) -> None:
        context = get_context("spawn")
        jobs: dict[str, tuple[Callable[..., None], tuple[object, ...]]] = {
            "folder": (load.feed_folder, (self.daemon.inbox,)),
            "kafka": (load.feed_kafka, (self.broker.connection, INPUT)),
            "http": (load.feed_http, (self.daemon.url,)),
        }
        self._paces = {source: Pace(context) for source in jobs}
        self._feeders: list[BaseProcess] = []
        for source, (feed, more) in jobs.items():
            arguments = (self._paces[source], self.journal(source), self._seed, *more)
            feeder = context.Process(target=feed, args=arguments, name=f"feed-{source}", daemon=True)
            self.journal(source).touch()
            feeder.start()
            stack.callback(feeder.kill)
            self._feeders.append(feeder)


def _in(seconds: float) -> Callable[[], bool]:
    """True once so much time has passed."""
    until = time.monotonic() + seconds
    return lambda: time.monotonic() >= until
