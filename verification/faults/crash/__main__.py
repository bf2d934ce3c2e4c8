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
import os
import signal
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from verification.faults.crash.lane import Report
from verification.faults.crash.plan import ROUNDS_PER_WORLD
from verification.faults.crash.running import planned, run, table
from verification.kit.broker import temporary_broker


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
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends what it has started
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


if __name__ == "__main__":
    sys.exit(main())
