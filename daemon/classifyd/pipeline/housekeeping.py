"""What is done once in a while: gauges, the minute's summary, pruning of the outbox."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from shutil import disk_usage

from classifyd.core.values import Progress
from classifyd.pipeline.intake import Intake
from classifyd.pipeline.tally import Tally
from classifyd.telemetry import emit, metrics
from classifyd.telemetry.pipeline import Summary

MEASURE_EVERY = 5.0
SUMMARY_EVERY = 60.0
PRUNE_EVERY = 10.0
"""Seconds between prunings, which also tell an idle daemon whether its database can be written."""


class Housekeeping:
    """A service. `folders` are those whose disks' free space is measured, by the metric's label."""

    name = "housekeeping"

    def __init__(
        self,
        intakes: Sequence[Intake],
        progress: Callable[[], Progress],
        tally: Tally,
        folders: Mapping[str, Path],
        prune_outbox: Callable[[datetime], None],
        outbox_retention: timedelta,
        clock: Callable[[], datetime],
    ) -> None:
        self._intakes = intakes
        self._progress = progress
        self._tally = tally
        self._folders = folders
        self._prune_outbox = prune_outbox
        self._outbox_retention = outbox_retention
        self._clock = clock
        self._stopped = threading.Event()
        self._last = Progress(0, 0, 0, 0)

    def run(self) -> None:
        next_summary = time.monotonic() + SUMMARY_EVERY
        next_prune = time.monotonic()
        while True:
            self._measure()
            now = time.monotonic()
            if now >= next_summary:
                self._summarise()
                next_summary = now + SUMMARY_EVERY
            if now >= next_prune:
                self._prune_outbox(self._clock() - self._outbox_retention)
                next_prune = now + PRUNE_EVERY
            if self._stopped.wait(MEASURE_EVERY):
                self._tally.close_minute()
                return

    def stop(self) -> None:
        self._stopped.set()

    def _measure(self) -> None:
        oldest = [since for intake in self._intakes if (since := intake.oldest()) is not None]
        metrics.oldest_waiting.set(time.monotonic() - min(oldest) if oldest else 0.0)
        for label, folder in self._folders.items():
            with suppress(OSError):  # missing or away: its own part tells so
                free = disk_usage(folder).free
                metrics.disk_free.labels(label).set(free)

    def _summarise(self) -> None:
        self._tally.close_minute()
        now = self._progress()
        if (now.done, now.rejected) != (self._last.done, self._last.rejected) or now.in_flight:
            emit(
                Summary(
                    done=now.done - self._last.done,
                    rejected=now.rejected - self._last.rejected,
                    in_flight=now.in_flight,
                    waiting=now.waiting,
                )
            )
        self._last = now
