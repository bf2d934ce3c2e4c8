"""Load for a long time: a daemon with folder, Kafka and HTTP together at 80 % of what it can do, whose broker
and model server are restarted now and then. At the end nothing may be lost, and nothing may have grown.

    python -m verification.faults.soak --minutes 30

The first tenth, a minute at least, is the warm-up: in it the capacity is measured, with all three sources and
their feeders competing for this machine, and each kind of outage is gone through once. Memory, descriptors
and threads are compared at rest, after the warm-up and at the end. The model server, a stand-in, answers
at once.
"""

import argparse
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

from verification.faults.soak.growth import Latencies, growth
from verification.faults.soak.harvest import judge
from verification.faults.soak.running import CALIBRATION, RETENTION, Outage, Running
from verification.faults.soak.timeline import Timeline
from verification.faults.soak.vitals import Vitals
from verification.kit.daemon import DaemonFailed

SHARE = 0.8
OUTAGES = ("model server", "broker")
OUTAGE_EVERY = 120.0
WARM_UP_SHARE, SHORTEST_WARM_UP = 0.1, 60.0
LINES = 180
"""Lines of the time line, or one every SHORTEST_LINE seconds."""
SHORTEST_LINE = 5.0


@dataclass(frozen=True, slots=True)
class Soaked:
    """What came of it: the violated sentences, and a summary in lines."""

    violations: Sequence[str]
    summary: Sequence[str]


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the time line and the summary; returns 1 when something is violated."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=30.0, help="under load, warm-up included")
    parser.add_argument("--seed", type=int, default=None, help="of the pictures and of the outages")
    parser.add_argument("--latency-ratio", type=float, default=3.0, help="last quarter's to first's, at most")
    parser.add_argument("--folder", type=Path, default=None, help="for the daemon; kept when it is named")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends what it has started
    seed = random.SystemRandom().randrange(2**32) if options.seed is None else options.seed
    folder = options.folder or Path(tempfile.mkdtemp(prefix="soak-"))
    print(f"{options.minutes:g} minutes, seed {seed}, in {folder}", flush=True)
    soaked = soak(folder, options.minutes * 60, seed, options.latency_ratio)
    print("", *soaked.summary, sep="\n")
    for sentence in soaked.violations[:50]:
        print(f"VIOLATED: {sentence}")
    print(f"{len(soaked.violations)} violations")
    if soaked.violations:
        print(f"kept: {folder} (daemon.log, timeline.csv, data)")
    elif options.folder is None:
        shutil.rmtree(folder)
    return 1 if soaked.violations else 0


def soak(folder: Path, seconds: float, seed: int, latency_ratio: float) -> Soaked:
    """Runs it in `folder`. The median latencies of the last quarter may be `latency_ratio` times those of the
    first."""
    folder.mkdir(parents=True, exist_ok=True)
    line_every = max(SHORTEST_LINE, seconds / LINES)
    warm_up = max(SHORTEST_WARM_UP, seconds * WARM_UP_SHARE)
    with Running(folder, seed) as running, Timeline(folder / "timeline.csv", running, line_every) as timeline:
        try:
            rates = running.calibrate()
            print("capacity: " + ", ".join(f"{source} {rate:.0f}/s" for source, rate in rates.items()))
            _load(running, timeline, warm_up - CALIBRATION, _paced(rates))
            before = running.rest()
            began = time.time()
            outages = _load(running, timeline, seconds - warm_up, _paced(rates))
            ended = time.time()
            after = running.rest()
            if (code := running.daemon.stop()) != 0:
                return Soaked([f"the daemon ended with {code}\n{running.daemon.tail()}"], ())
        except DaemonFailed as failed:
            return Soaked([str(failed)], ())
        running.stop_feeding()
        lost, latencies = judge(running, began, ended, [outage.shadow(SHARE) for outage in outages])
    violations = growth(before, after, timeline.all, RETENTION)
    violations += [sentence for one in latencies if (sentence := one.violation(latency_ratio))]
    return Soaked([*violations, *lost], _summary(before, after, timeline.all, outages, latencies))


def _paced(rates: dict[str, float]) -> dict[str, float]:
    return {source: rate * SHARE for source, rate in rates.items()}


def _load(running: Running, timeline: Timeline, seconds: float, rates: dict[str, float]) -> Sequence[Outage]:
    """Loads it for so long, with the kinds of outage in turn, evenly spread."""
    running.pace(rates)
    count = len(OUTAGES) * max(1, round(seconds / OUTAGE_EVERY / len(OUTAGES)))
    began = time.monotonic()
    outages: list[Outage] = []
    for number, what in zip(range(count), cycle(OUTAGES), strict=False):
        timeline.follow(began + seconds * (number + 1) / (count + 1))
        outages.append(timeline.through(what))
    timeline.follow(began + seconds)
    return outages


def _summary(
    before: Vitals,
    after: Vitals,
    line: Sequence[Vitals],
    outages: Sequence[Outage],
    latencies: Sequence[Latencies],
) -> list[str]:
    mib = 2**20
    return [
        f"memory at rest: {before.rss / mib:.1f} MiB after the warm-up, {after.rss / mib:.1f} MiB at the end"
        f" ({after.rss / before.rss - 1:+.1%}); {max(one.rss for one in line) / mib:.1f} MiB at most",
        f"descriptors at rest: {before.fds}, then {after.fds}"
        f" (connections: {before.connections}, then {after.connections});"
        f" threads: {before.threads}, then {after.threads}",
        f"write-ahead log: {max(one.wal for one in line) / mib:.1f} MiB at most",
        f"outbox: {max(one.pending for one in line)} messages waited at most, {after.pending} at the end;"
        f" {max(one.kept for one in line)} rows kept at most",
        f"{after.rows} results; {len(outages)} outages of "
        + ", ".join(f"{outage.over - outage.began:.1f} s ({outage.what})" for outage in outages),
        *(str(one) for one in latencies),
    ]


if __name__ == "__main__":
    sys.exit(main())
