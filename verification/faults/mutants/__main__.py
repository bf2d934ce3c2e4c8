"""Hostile pictures: JPEG mutants through the gate and the embedded engine.

    python -m verification.faults.mutants --count 1000000 --seed 1

No mutant may end its worker, take more than a second of CPU time or more memory than its pixels justify,
make a library print or warn, or leave anything behind; and each that the gate passes must be decoded by the
engine or rejected with a reason. What does otherwise is saved and named; then the exit code is 1. The same
seed makes the same mutants (with the same Pillow, which encodes the pictures that they are made of).
"""

import argparse
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

from verification.faults.mutants.corpus import corpus
from verification.faults.mutants.mutation import Mutants
from verification.faults.mutants.running import Run, described


def main() -> None:
    """Probes as many mutants as asked for and prints what was found."""
    parser = argparse.ArgumentParser(
        prog="python -m verification.faults.mutants",
        description="JPEG mutants through classifyd's gate and embedded engine.",
    )
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, help="the first mutant's number")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--save", type=Path, help="where mutants of findings go [a temporary folder]")
    arguments = parser.parse_args()

    folder = arguments.save or Path(tempfile.mkdtemp(prefix="mutants-"))
    folder.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    run = Run(Mutants(arguments.seed, list(corpus().values())), folder, progress=_Progress(arguments.count))
    total = run.over(range(arguments.first, arguments.first + arguments.count), arguments.workers)
    print(described(total))
    print(f"seed {arguments.seed}, {time.monotonic() - started:,.0f} s, {arguments.workers} workers")
    if total.findings:
        print(f"kept: {folder}")
    elif arguments.save is None:
        shutil.rmtree(folder)
    sys.exit(1 if total.findings else 0)


class _Progress:
    """A line on standard error, a minute apart."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._done = 0
        self._told = time.monotonic()

    def __call__(self, done: int, findings: int) -> None:
        self._done += done
        if time.monotonic() - self._told >= 60.0:
            self._told = time.monotonic()
            print(f"{self._done:,} of {self._count:,}, {findings} findings", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
