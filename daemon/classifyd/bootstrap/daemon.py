"""The daemon's life: start, work, stop in order."""

import gc
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from types import FrameType

import classifyd
from classifyd.bootstrap.assembly import Assembly, Serve, assemble
from classifyd.bootstrap.memory import keep_little
from classifyd.core.errors import ConfigurationError, StoreUnavailable
from classifyd.core.ports import Service
from classifyd.core.values import Progress
from classifyd.crashpoints import Point, reached
from classifyd.pipeline.standstill import Standstill
from classifyd.pipeline.supervisor import Supervisor
from classifyd.settings import Settings
from classifyd.telemetry import emit
from classifyd.telemetry.pipeline import (
    DaemonStarted,
    DaemonStopped,
    DaemonStopping,
    PartDied,
    RunGivenUp,
)

TICK = 0.25
SWITCH_INTERVAL = 0.0005
"""With busy threads beside it, a request that changes threads three times took 25 ms at the interpreter's
own 5 ms, and 5 ms at this."""

KEPT_FOR_SETTLING = 0.3
"""The part of `stop_timeout` that workers leave for committing, settling and publishing."""


class Daemon:
    """A daemon from its settings. With `once` it ends when what its sources found is worked off, or when
    no picture could be finished for `once_timeout`.

    `serve` makes the HTTP service, if there is to be one. Raises ConfigurationError for whatever forbids
    a start; nothing runs and nothing is held then.
    """

    def __init__(self, settings: Settings, once: bool, serve: Serve | None = None) -> None:
        self._settings = settings
        self._once = once
        keep_little()
        self._assembly: Assembly = assemble(settings, once, serve)
        self._supervisor = Supervisor()
        self._started = time.monotonic()
        self._standstill = Standstill(settings.once_timeout, self._started)
        self._given_up = False
        self._seconds = 0.0
        self._unpublished: int | None = 0
        self.left_running = False
        """Whether threads are still at work that did not stop in time."""

    def run(self, on_tick: Callable[[Progress], None] | None = None) -> int:
        """Works until SIGTERM or SIGINT, until a part dies, or (with `once`) until all is worked off or
        nothing moves any more.

        `on_tick` is called about four times a second. Returns the exit code: 0, or 1 when a part died or
        something could not be handled. Raises ConfigurationError when the surroundings turn out to forbid
        the start after all (the model does not fit its labels). A second signal ends the process at once:
        what was under way is delivered again.
        """
        sys.setswitchinterval(SWITCH_INTERVAL)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        emit(DaemonStarted(version=classifyd.__version__, instance=self._assembly.database.instance))
        gc.freeze()  # or what was imported would be looked through amid the work, for a tenth of a second
        self._supervisor.start(self._assembly.services)
        awaited = [source.name for source in self._assembly.sources] if self._once else []
        nothing_to_do = self._once and not awaited
        while not (nothing_to_do or self._supervisor.wait(awaited, TICK) or self._given_up):
            progress = self._assembly.progress()
            if on_tick is not None:
                on_tick(progress)
            if self._once:
                self._give_up_at_standstill(progress)
        self._stop()
        if on_tick is not None:
            on_tick(self._assembly.progress())
        return self._conclude()

    def summary(self) -> list[str]:
        """What a run with `once` did, in lines for a person."""
        tally = self._assembly.tally
        total = tally.done + tally.rejected
        rate = total / self._seconds if self._seconds else 0.0
        lines = [
            f"{tally.done} classified, {tally.rejected} rejected in {self._seconds:.1f} s ({rate:.1f}/s)"
        ]
        if unhandled := self._unhandled():
            lines.append(f"{unhandled} could not be handled: see the log")
        if self._unpublished is None:
            lines.append("the outbox could not be read: see the log")
        elif self._unpublished:
            lines.append(f"{self._unpublished} messages wait in the outbox: the next run publishes them")
        return lines

    def _give_up_at_standstill(self, progress: Progress) -> None:
        """A model that is away, or that never answers for a picture, does not hold a single run for ever."""
        parts = self._assembly.parts
        hindered = progress.in_flight > 0 or not parts.ready
        if self._standstill.too_long(self._assembly.tally.settled, hindered, time.monotonic()):
            self._given_up = True
            down = [f"{name}: {state.detail}" for name, state in parts.parts().items() if not state.up]
            emit(
                RunGivenUp(
                    seconds=self._settings.once_timeout,
                    in_flight=progress.in_flight,
                    waiting=progress.waiting,
                    reason="; ".join(down) or None,
                )
            )

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        if self._supervisor.asked is not None:
            os._exit(128 + number)
        self._supervisor.ask(signal.Signals(number).name)

    def _stop(self) -> None:
        """Sources stop taking, workers finish what they hold, the recorder commits, deliveries settle,
        offsets commit, the relay publishes: each with what is left of `stop_timeout`."""
        assembly, timeout = self._assembly, self._settings.stop_timeout
        deadline = time.monotonic() + timeout
        assembly.parts.stopping()
        if not self._once:
            emit(DaemonStopping(reason=self._reason()))
        for source in assembly.sources:
            source.drain()
        reached(Point.SOURCES_DRAINED)
        self._end(assembly.workers, deadline - KEPT_FOR_SETTLING * timeout)
        reached(Point.WORKERS_ENDED)
        assembly.recorder.flush(max(0.0, deadline - time.monotonic()))
        reached(Point.RECORDER_FLUSHED)
        self._end(assembly.settlers, deadline)
        reached(Point.SETTLERS_ENDED)
        if assembly.http is not None:
            assembly.http.stop()
        if assembly.relay is not None:
            assembly.relay.stop_within(max(0.0, deadline - time.monotonic()))
            self._supervisor.join([assembly.relay], deadline)
            assembly.recorder.flush(max(0.0, deadline - time.monotonic()))
            self._unpublished = self._count_unpublished()
            reached(Point.RELAY_ENDED)
        self._end([assembly.housekeeping, assembly.recorder], deadline)
        self.left_running = not self._supervisor.join(assembly.services, deadline)
        if not self.left_running:
            assembly.close()
            reached(Point.DATABASE_CLOSED)
        self._seconds = time.monotonic() - self._started
        if not self._once:
            emit(DaemonStopped(done=assembly.tally.done, rejected=assembly.tally.rejected))

    def _end(self, services: Sequence[Service], deadline: float) -> bool:
        for service in services:
            service.stop()
        return self._supervisor.join(services, deadline)

    def _count_unpublished(self) -> int | None:
        try:
            return self._assembly.database.outbox.count()
        except StoreUnavailable:  # told already by the parts that need the database
            return None

    def _reason(self) -> str:
        death = self._supervisor.death
        return f"{death.service} died" if death is not None else self._supervisor.asked or "worked off"

    def _conclude(self) -> int:
        death = self._supervisor.death
        if death is None:
            incomplete = self._given_up or self._unhandled() or self._unpublished != 0
            return 1 if self._once and incomplete else 0
        if isinstance(death.error, ConfigurationError):
            raise death.error
        emit(
            PartDied(
                part=death.service,
                reason=f"{type(death.error).__name__}: {death.error}",
                traceback="".join(traceback.format_exception(death.error)),
            )
        )
        return 1

    def _unhandled(self) -> int:
        return sum(source.unhandled for source in self._assembly.sources)
