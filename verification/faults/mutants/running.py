"""A run: the processes that probe mutants, and what they find."""

import multiprocessing
import signal
import statistics
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from pathlib import Path

from verification.faults.mutants.probing import DaemonProbe, Finding, Numbered, Probe, Report, work

AT_ONCE = 256
"""Mutants in one order to a worker."""

STALL = 120.0
"""Seconds without a word after which a worker is stuck, however slow the machine."""

WARM_UP = 20
"""Reports of a worker until its allocators hold what they will keep."""

GROWTH = 16 * 2**20
"""By how many bytes a worker may be larger at its end than after it has warmed up."""

ENOUGH = 50
"""Findings after which a run ends early: there is something to mend."""

_ENDINGS = {signal.SIGPROF: "hang", signal.SIGKILL: "stall"}


@dataclass(frozen=True, slots=True)
class Total:
    """What a run found: how often each verdict came, the findings, the slowest mutant (CPU seconds,
    number), and by how many bytes the worker that grew most did."""

    verdicts: Counter[str] = field(default_factory=Counter)
    findings: tuple[Finding, ...] = ()
    slowest: tuple[float, int] = (0.0, -1)
    growth: int = 0


class _Worker:
    """A worker process, and the numbers that it is at."""

    def __init__(self, make_probe: Callable[[], Probe], mutants: Numbered, folder: Path) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, other = context.Pipe()
        self._at = context.Value("q", -1, lock=False)
        self.residents: list[int] = []
        self.numbers: Sequence[int] = ()
        self.since = time.monotonic()
        self._process = context.Process(
            target=work,
            args=(make_probe, mutants, other, self._at, folder / "printed.log"),
            name="mutants",
            daemon=True,
        )
        self._process.start()
        other.close()

    def order(self, numbers: Sequence[int]) -> None:
        self.numbers, self.since = numbers, time.monotonic()
        self.connection.send(numbers or None)

    def received(self) -> Report | None:
        """Its report; None when it has ended instead."""
        try:
            report: Report = self.connection.recv()
        except EOFError:
            return None
        self.residents.append(report.resident)
        return report

    def kill(self) -> None:
        self._process.kill()

    def death(self) -> Finding:
        """How it ended, and which mutant ended it."""
        self._process.join()
        code = self._process.exitcode or 0
        number: int = self._at.value
        if code >= 0:
            return Finding(number, "ended", f"the worker ended with exit code {code}")
        ending = signal.Signals(-code)
        return Finding(number, _ENDINGS.get(ending, "crash"), f"the worker was ended by {ending.name}")

    def end(self) -> None:
        self.connection.close()
        self._process.join()

    @property
    def growth(self) -> int:
        """By how much it is larger at its end than after it had warmed up: medians, since one large mutant
        shows in one report."""
        warm = self.residents[WARM_UP:]
        fifth = len(warm) // 5
        if not fifth:
            return 0
        return int(statistics.median(warm[-fifth:]) - statistics.median(warm[:fifth]))


class Run:
    """Has workers probe mutants. `progress` is told after each order how many it was, and how many findings
    there are by then.

    A worker that dies is replaced: its order is done again without the mutant that it died of.
    """

    def __init__(
        self,
        mutants: Numbered,
        folder: Path,
        make_probe: Callable[[], Probe] = DaemonProbe,
        progress: Callable[[int, int], None] = lambda _done, _findings: None,
    ) -> None:
        self._mutants = mutants
        self._folder = folder
        self._make_probe = make_probe
        self._progress = progress
        self._orders: Iterator[Sequence[int]] = iter(())
        self._again: deque[Sequence[int]] = deque()
        self._workers: dict[Connection, _Worker] = {}
        self._reports: list[Report] = []
        self._findings: list[Finding] = []
        self._growth: list[int] = [0]

    def over(self, numbers: Sequence[int], workers: int) -> Total:
        """Probes the mutants of these numbers. Saves those of findings in the folder.

        Raises RuntimeError when a worker cannot even start.
        """
        self._orders = (numbers[start : start + AT_ONCE] for start in range(0, len(numbers), AT_ONCE))
        for _ in range(workers):
            self._hire()
        while self._workers:
            told = wait(list(self._workers), timeout=1.0)
            for worker in [worker for connection, worker in self._workers.items() if connection in told]:
                self._hear(worker)
            for worker in self._workers.values():
                if time.monotonic() - worker.since > STALL:
                    worker.kill()
        return self._total()

    def _hire(self) -> None:
        worker = _Worker(self._make_probe, self._mutants, self._folder)
        self._workers[worker.connection] = worker

    def _hear(self, worker: _Worker) -> None:
        report = worker.received()
        if report is None:
            self._bury(worker)
            return
        self._reports.append(report)
        self._find(report.findings)
        self._progress(sum(report.verdicts.values()), len(self._findings))
        numbers = self._next()
        worker.order(numbers)
        if not numbers:
            self._dismiss(worker)

    def _next(self) -> Sequence[int]:
        if len(self._findings) >= ENOUGH:
            return ()
        return self._again.popleft() if self._again else next(self._orders, ())

    def _bury(self, worker: _Worker) -> None:
        finding = worker.death()
        if finding.number < 0:
            raise RuntimeError(
                f"before its first mutant {finding.detail}: see {self._folder / 'printed.log'}"
            )
        self._find([finding])
        self._again.append([number for number in worker.numbers if number != finding.number])
        self._dismiss(worker)
        if len(self._findings) < ENOUGH:
            self._hire()

    def _dismiss(self, worker: _Worker) -> None:
        del self._workers[worker.connection]
        worker.end()
        self._growth.append(worker.growth)

    def _find(self, findings: Sequence[Finding]) -> None:
        self._findings += findings
        for finding in findings:
            (self._folder / f"{finding.kind}-{finding.number}.jpg").write_bytes(self._mutants[finding.number])

    def _total(self) -> Total:
        verdicts = sum((report.verdicts for report in self._reports), Counter[str]())
        growth = max(self._growth)
        if growth > GROWTH:
            self._findings.append(Finding(-1, "growth", f"a worker grew by {growth / 2**20:.1f} MiB"))
        slowest = max((report.slowest for report in self._reports), default=(0.0, -1))
        return Total(verdicts, tuple(self._findings), slowest, growth)


def described(total: Total) -> str:
    """What a run found, for a person."""
    lines = [f"{sum(total.verdicts.values()):>12,} mutants"]
    lines += [f"{count:>12,} {verdict}" for verdict, count in total.verdicts.most_common()]
    lines += [
        f"{total.slowest[0] * 1000:>9.0f} ms of CPU time for the slowest, number {total.slowest[1]}",
        f"{total.growth / 2**20:>8.1f} MiB more in the worker that grew most after it had warmed up",
        f"{len(total.findings):>12,} findings",
    ]
    lines += [f"{finding.kind}: mutant {finding.number}: {finding.detail}" for finding in total.findings]
    return "\n".join(lines)
