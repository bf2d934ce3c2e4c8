"""Kills the daemon at its crash points, starts it again, and checks that nothing is lost and nothing twice.

    python -m verification.faults.crash --rounds 300 --seed 1

Each round feeds folder and topic with good and bad pictures, has one or more lives of the daemon end by
SIGKILL at a random point's random passing, then lets one work everything off, and asks the oracle. After
each death, too, it is checked that nothing is gone and no offset passes a record without a row. A world
(folder, database, topics) lasts for some rounds; several worlds are played side by side.

The seed decides worlds, rounds, points and pictures; which thread runs when it does not. `--world N` plays
that world of a seed alone. Ends with 1 when a promise was broken; the world's folder is kept then. Ctrl-C
ends it early, with the table of what was hit by then.
"""

import argparse
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from multiprocessing.context import SpawnProcess
from multiprocessing.queues import Queue
from pathlib import Path
from queue import Empty

from classifyd.crashpoints import Point
from verification.faults.crash.lane import Report, play
from verification.faults.crash.plan import ROUNDS_PER_WORLD
from verification.faults.crash.site import Address
from verification.kit.broker import temporary_broker
from verification.kit.instant import instant_server

SILENCE = 1800.0
"""Seconds without a word from any lane after which something hangs."""


def main() -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m verification.faults.crash", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--rounds", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--lanes", type=int, default=max(2, os.cpu_count() or 2), help="worlds side by side")
    parser.add_argument("--world", type=int, help="play this world of the seed alone")
    parser.add_argument("--keep", type=Path, default=Path(tempfile.gettempdir()), help="where worlds lie")
    arguments = parser.parse_args()
    worlds = planned(arguments.rounds)
    if arguments.world is not None:
        worlds = [(arguments.world, ROUNDS_PER_WORLD)]
    began = time.monotonic()
    total = Report()

    def told(report: Report) -> None:
        total.add(report)
        print(f"{time.strftime('%H:%M:%S')} {total}", *report.broken, sep="\n", flush=True)

    with temporary_broker() as broker, suppress(KeyboardInterrupt):
        run(broker.bootstrap_servers, arguments.seed, worlds, arguments.lanes, arguments.keep, told)
    print(table(total))
    print(f"{total}, {total.pictures} pictures, {total.duplicates} messages sent again")
    print(f"seed {arguments.seed}, {time.monotonic() - began:.0f} s")
    return 1 if total.broken else 0


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
    with ExitStack() as stack:
        folder = stack.enter_context(_folder(keep))
        other = _another_file_system(folder)
        elsewhere = stack.enter_context(_folder(other)) if other is not None else None
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
                told(_next(reports, processes))
            for process in processes:
                process.join(SILENCE)
        finally:
            for process in processes:
                process.terminate()


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
def _folder(parent: Path) -> Iterator[Path]:
    """A new folder, removed in the end unless worlds are kept in it."""
    folder = Path(tempfile.mkdtemp(prefix="crash-", dir=parent))
    try:
        yield folder
    finally:
        with suppress(OSError):  # not empty
            folder.rmdir()


if __name__ == "__main__":
    sys.exit(main())
