"""`make bench`: how fast the daemon is, against what one would use instead, in the same run.

python -m verification.bench [--short] [--json] [NAME ...]
"""

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from verification.bench import backlog, crowd, database, delay, embedded, records, stages, web
from verification.bench.figures import Figure, as_json, table
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


def main() -> None:
    """Prints each table as it comes; with `--json` all figures at the end instead."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"all of: {', '.join(MEASUREMENTS)}")
    parser.add_argument("--short", action="store_true", help="just enough to see that all of it runs")
    parser.add_argument("--json", action="store_true", help="machine-readable")
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - MEASUREMENTS.keys():
        parser.error(f"there is no measurement {', '.join(sorted(unknown))}")
    console = Console(width=120)
    figures: list[Figure] = []
    for name in arguments.names or MEASUREMENTS:
        with tempfile.TemporaryDirectory(prefix="classifyd-bench-") as folder:
            measured = MEASUREMENTS[name](SHORT if arguments.short else FULL, Path(folder))
        figures += measured
        if not arguments.json:
            console.print(table(measured), "")
    if arguments.json:
        sys.stdout.buffer.write(as_json(figures) + b"\n")


if __name__ == "__main__":
    main()
