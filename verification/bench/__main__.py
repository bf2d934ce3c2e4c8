"""`make bench`: how fast the daemon is, against what one would use instead, in the same run.

python -m verification.bench [--short] [--json] [NAME ...]
"""

import argparse
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path

from rich.console import Console

from verification.bench import backlog, crowd, database, delay, embedded, records, stages, web
from verification.bench.figures import Figure, Measurement, as_json, table
from verification.bench.scale import FULL, SHORT, Scale

MEASUREMENTS: dict[str, Callable[[Scale, Path], list[Figure]]] = {
    "backlog": backlog.measure,
    "records": records.measure,
    "web": web.measure,
    "small": embedded.small,
    "large": embedded.large,
    "delay": delay.measure,
    "lanes": web.beside_a_backlog,
    "crowd": crowd.measure,
    "database": database.measure,
    "stages": stages.measure,
}


def main() -> int:
    """Prints each table as it comes; with `--json` all of them at the end instead. Returns 1 when a
    measurement did not run, whatever the others found; a target that is missed is a finding, no failure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"some of: {', '.join(MEASUREMENTS)}")
    parser.add_argument("--short", action="store_true", help="just enough to see that all of it runs")
    parser.add_argument("--json", action="store_true", help="machine-readable")
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - MEASUREMENTS.keys():
        parser.error(f"there is no measurement {', '.join(sorted(unknown))}")
    console = Console(width=120)
    done: list[Measurement] = []
    failed: list[str] = []
    for name in arguments.names or MEASUREMENTS:
        try:
            done.append(measurement := _measured(name, SHORT if arguments.short else FULL))
        except Exception as error:  # noqa: BLE001 - the others are measured all the same
            traceback.print_exc()
            failed.append(f"{name} did not run: {error}")
            continue
        if not arguments.json:
            console.print(table(measurement), f"({name}: {measurement.seconds:.0f} s)", "", sep="\n")
    if arguments.json:
        sys.stdout.buffer.write(as_json(done) + b"\n")
    print(*failed, sep="\n", end="\n" if failed else "", file=sys.stderr)
    return 1 if failed else 0


def _measured(name: str, scale: Scale) -> Measurement:
    began = time.monotonic()
    with (
        tempfile.TemporaryDirectory(prefix="classifyd-bench-") as folder,
        redirect_stdout(sys.stderr),  # what a library says is none of the figures
    ):
        figures = MEASUREMENTS[name](scale, Path(folder))
    return Measurement(name, tuple(figures), time.monotonic() - began)


if __name__ == "__main__":
    sys.exit(main())
