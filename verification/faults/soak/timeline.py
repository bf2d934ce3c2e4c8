"""The time line of a soak: what the daemon took and how fast it answered, every few seconds."""

import csv
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from http import HTTPStatus
from io import StringIO
from pathlib import Path
from types import TracebackType
from typing import Self

from verification.faults.soak.load import answer
from verification.faults.soak.running import Outage, Running
from verification.faults.soak.vitals import Vitals
from verification.kit.percentiles import percentile

COLUMNS = (
    *("second", "rss_mib", "fds", "threads", "wal_kib", "pending", "kept", "rows"),
    *("http_p50_ms", "http_p99_ms", "away"),
)


class Timeline:
    """Writes a line every `every` seconds, to a CSV file and to standard output."""

    def __init__(self, file: Path, running: Running, every: float) -> None:
        self._running = running
        self._every = every
        self._away = ""
        self._began = self._next = time.monotonic()
        self._answers = running.journal("http").open()
        self._rest = ""
        self._resources = ExitStack()
        self._resources.enter_context(self._answers)
        self._lines = self._resources.enter_context(file.open("w", newline="", buffering=1))
        self._pool = self._resources.enter_context(ThreadPoolExecutor(1, "outage"))
        self.all: list[Vitals] = []
        self._write(COLUMNS)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._resources.close()

    def follow(self, until: float) -> None:
        """Goes on until then (monotonic)."""
        while (now := time.monotonic()) < until:
            at = min(until, self._next)
            self._running.daemon.wait_until(lambda at=at: time.monotonic() >= at, at - now + 60, "alive")
            self._look()

    def through(self, what: str) -> Outage:
        """Goes on while something is away, and until the daemon is ready again."""
        self._away = what
        outage = self._pool.submit(self._running.outage, what)
        while not outage.done():
            self.follow(time.monotonic() + 0.5)
        self._away = ""
        return outage.result()

    def _look(self) -> None:
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + self._every
        now = self._running.vitals()
        self.all.append(now)
        answered = self._new_answers()
        self._write(
            [
                f"{time.monotonic() - self._began:.0f}",
                f"{now.rss / 2**20:.1f}",
                str(now.fds),
                str(now.threads),
                str(now.wal // 1024),
                str(now.pending),
                str(now.kept),
                str(now.rows),
                f"{percentile(answered, 0.50) * 1000:.1f}",
                f"{percentile(answered, 0.99) * 1000:.1f}",
                self._away,
            ]
        )

    def _new_answers(self) -> list[float]:
        """The seconds that the requests took which were answered since the last look."""
        lines, _, self._rest = (self._rest + self._answers.read()).rpartition("\n")
        found = [answer(line) for line in csv.reader(StringIO(lines))]
        return [one.moment - one.due for one in found if one.status == HTTPStatus.OK]

    def _write(self, line: Sequence[str]) -> None:
        csv.writer(self._lines).writerow(line)
        print(
            " ".join(f"{value:>{len(name)}}" for name, value in zip(COLUMNS, line, strict=True)), flush=True
        )
