"""Three daemons in one group and on one inbox, started, stopped, frozen and killed while pictures flow.

    python -m verification.faults.rebalance --records 20000 --seed 1

Nothing may be missing, and every picture that is in two databases must be explained: by the broker's own log
of the group (records), by a kill of the daemon that had it (files). A broker, a model server (a stand-in that
looks at no picture), and the daemons are started by the command itself.
"""

import argparse
import signal
import sys
import tempfile
from pathlib import Path

from verification.faults.rebalance.running import Plan, run, surroundings


def main() -> int:
    """Returns 1 when a promise was broken."""
    parser = argparse.ArgumentParser(
        prog="python -m verification.faults.rebalance", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--records", type=int, default=20_000)
    parser.add_argument("--files", type=int, help="default: a sixth of the records")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--members", type=int, default=3)
    parser.add_argument("--partitions", type=int, default=12)
    parser.add_argument("--keep", type=Path, help="an empty folder for databases, pictures and logs")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends what it has started
    files = given.records // 6 if given.files is None else given.files
    plan = Plan(given.records, files, given.seed, given.members, given.partitions)
    with tempfile.TemporaryDirectory() as scratch, surroundings(plan.seed) as (broker, model_url):
        report = run(plan, broker, model_url, given.keep or Path(scratch, "fleet"))
    print(report)
    return 1 if report.violations else 0


if __name__ == "__main__":
    sys.exit(main())
