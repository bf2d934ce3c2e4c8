"""A run: many worlds against one broker, lane by lane, and what they came to."""

import multiprocessing
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from multiprocessing.context import SpawnProcess
from multiprocessing.queues import Queue
from pathlib import Path
from queue import Empty

from classifyd.crashpoints import Point
from verification.faults.crash.lane import Report, play
from verification.faults.crash.plan import ROUNDS_PER_WORLD
from verification.faults.crash.site import Address
from verification.kit.instant import instant_server

SILENCE = 1800.0
"""Seconds without a word from any lane after which something hangs."""
ENDED = 60.0
"""Seconds in which a terminated lane has ended."""


def planned(rounds: int) -> list[tuple[int, int]]:
    """Worlds for so many rounds: each by its number, with its rounds."""
    return [
        (number, min(ROUNDS_PER_WORLD, rounds - first))
        for number, first in enumerate(range(0, rounds, ROUNDS_PER_WORLD))
    ]


def run(
    servers: str,
    seed: int,
    worlds: list[tuple[int, int]],
    lanes: int,
    keep: Path,
    told: Callable[[Report], None],
) -> None:
    """Plays the worlds against the broker at `servers`, `lanes` at a time, in folders below `keep`; `told` is
    called with what came of each."""
    context = multiprocessing.get_context("spawn")
    broken: list[str] = []
    with ExitStack() as stack:
        folder = stack.enter_context(_folder(keep, broken))
        other = _another_file_system(folder)
        elsewhere = stack.enter_context(_folder(other, broken)) if other is not None else None
        address = Address(servers, stack.enter_context(instant_server(classes=10)), folder, elsewhere)
        reports: Queue[Report] = context.Queue()
        processes = [
            context.Process(
                target=play, args=(address, seed, worlds[lane::lanes], reports.put), name=f"lane-{lane}"
            )
            for lane in range(min(lanes, len(worlds)))
        ]
        try:
            for process in processes:
                process.start()
            for _ in worlds:
                report = _next(reports, processes)
                broken += report.broken
                told(report)
            for process in processes:
                process.join(SILENCE)
        finally:
            for process in processes:
                process.terminate()
                process.join(ENDED)


def table(total: Report) -> str:
    """How often each point was really hit, and how often a life that was to hit it did not pass it."""
    lines = [f"{'point':26} {'hit':>6} {'not passed':>10}"]
    lines += [f"{point:26} {total.hits[point]:6} {total.missed[point]:10}" for point in Point]
    return "\n".join(lines)


def _next(reports: "Queue[Report]", processes: list[SpawnProcess]) -> Report:
    deadline = time.monotonic() + SILENCE
    while time.monotonic() < deadline:
        with suppress(Empty):
            return reports.get(timeout=1.0)
        if died := [process.name for process in processes if process.exitcode]:
            raise RuntimeError(f"{', '.join(died)} failed: see above")
    raise RuntimeError(f"no lane said a word for {SILENCE:.0f} s")


def _another_file_system(folder: Path) -> Path | None:
    """A folder for which moving from `folder` means copying; None where the machine has none."""
    for other in (Path("/dev/shm"), Path(tempfile.gettempdir()), Path("/var/tmp")):
        if other.is_dir() and other.stat().st_dev != folder.stat().st_dev:
            return other
    return None


@contextmanager
def _folder(parent: Path, broken: Sequence[str]) -> Iterator[Path]:
    """A new folder, removed in the end, with worlds that were ended early, unless something was broken."""
    folder = Path(tempfile.mkdtemp(prefix="crash-", dir=parent))
    try:
        yield folder
    finally:
        if broken:
            with suppress(OSError):  # worlds are kept in it
                folder.rmdir()
        else:
            shutil.rmtree(folder, ignore_errors=True)
