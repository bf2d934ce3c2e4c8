"""10: what a picture of the backlog costs in CPU time, by thread and by stage, beside the stages' floors.

The system counts each thread's time; py-spy, which looks two hundred times a second, tells what share of it
went where. The last looks are only at who holds the interpreter's lock, which all threads share.
"""

import re
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from verification.bench import photos
from verification.bench.backlog import OUTBOX
from verification.bench.figures import Figure
from verification.bench.processes import BOUND, INSTANT, daemon, moved, serving
from verification.bench.sampling import LOOKS, Sample, SamplingRefused, sampled, thread_names
from verification.bench.scale import Scale
from verification.kit.daemon import DaemonProcess
from verification.kit.process import cpu, thread_cpu

UNIT = "µs/picture"
LEAST = 1.0
"""Microseconds a picture below which a line is left out."""
OTHER = "other"

_FOLDER = "classifyd/sources/folder"
_ENGINE = "classifyd/engines"

STAGES: Mapping[str, Sequence[str]] = {
    "watch": (*(f"{_FOLDER}/{name}.py" for name in ("inotify", "watcher", "hints", "rounds")), "watchdog/"),
    "read": (f"{_FOLDER}/files.py:read",),
    "look": tuple(
        f"{_FOLDER}/{name}.py"
        for name in ("files", "scan", "finding", "surveyor", "selection", "candidates", "readiness")
    ),
    "hash": ("classifyd/core/images.py",),
    "gate": ("classifyd/core/gate.py", "classifyd/core/jpeg.py"),
    "claim": (f"{_FOLDER}/claims.py",),
    "offer": tuple(f"{_FOLDER}/{name}.py" for name in ("source", "offering", "taking", "underway", "held")),
    "intake": tuple(f"classifyd/{name}.py" for name in ("pipeline/intake", "core/batching", "core/credits")),
    "encode": (f"{_ENGINE}/tfserving/rest.py:_request",),
    "parse": (
        f"{_ENGINE}/tfserving/api.py:_parsed",
        f"{_ENGINE}/tfserving/classifier.py",
        f"{_ENGINE}/tfserving/rest.py",
        f"{_ENGINE}/ranking.py",
    ),
    "ask": (f"{_ENGINE}/tfserving/", "urllib3/", "http/client.py", "ssl.py", "grpc/"),
    "trial": ("classifyd/pipeline/model.py", "classifyd/pipeline/trial.py"),
    "outbox": ("classifyd/core/messages.py", "classifyd/core/documents.py"),
    "publish": ("classifyd/pipeline/relay.py", "classifyd/publish/", "kafka/"),
    "record": ("classifyd/pipeline/recorder.py", "classifyd/store/", "sqlalchemy/"),
    "move": tuple(f"{_FOLDER}/{name}.py" for name in ("mover", "settling", "moves", "shelf")),
    "tell": ("classifyd/telemetry/", "prometheus_client/", "structlog/"),
}
"""Stage: where it is done, as `file` (or the start of its name), or `file:function`. The innermost call that
is named here decides; where a file is named by two stages, its function does, then the stage named first."""

FLOORS = {
    "read": 1e6 / 19_000,  # with the rename that claims
    "hash": 1e6 / 28_000,
    "gate": 33.0,
    "encode": 1e6 / 28_000,
    "parse": 1e6 / 25_000,
    "record": 1e6 / 97_000,  # in transactions of 256
}
"""What a stage's bare work takes on one core of the machine that the documentation's figures are from, in
microseconds a picture: read and rename, SHA-256, walking the markers, base64, orjson of 1,001 probabilities,
one row."""

_FRAME = re.compile(r"(?P<function>.*) \((?P<file>.*)\)")


def measure(scale: Scale, folder: Path) -> list[Figure]:
    """CPU time a picture of the daemon and of the model server; then the daemon's by thread and by stage."""
    photos.write_all(folder / "pictures", photos.photo(), scale.backlog)
    with (
        serving(*INSTANT) as server,
        daemon(folder / "work", OUTBOX, "--model-url", server.url, http=True) as process,
    ):
        work = _Work(process, folder / "pictures", scale.backlog)
        work.through()  # what is done only once is not counted
        served = cpu(server.pid)
        spent = work.through()
        figures = [
            Figure("the daemon", UNIT, sum(spent.values())),
            Figure("the model server", UNIT, work.each(cpu(server.pid) - served)),
        ]
        try:
            names = thread_names(process.pid)
            with sampled(process.pid, folder / "looks") as looks:
                work.through()
            with sampled(process.pid, folder / "lock", "--gil") as holders:
                work.through()
        except SamplingRefused as refused:
            print(f"stages: by thread only, without names: {refused}", file=sys.stderr)
            return [*figures, *_lines("thread", {str(thread): each for thread, each in spent.items()})]
    by_stage = stages(looks, spent)
    held = Counter({one: work.each(count / LOOKS) for one, count in _counted(holders).items()})
    return [
        *figures,
        *_lines("thread", {names.get(thread, str(thread)): each for thread, each in spent.items()}),
        *_lines("stage", by_stage, FLOORS),
        *_lines("the interpreter's lock held by", held),
    ]


@dataclass(frozen=True)
class _Work:
    """A backlog that a daemon is given again and again."""

    process: DaemonProcess
    pictures: Path
    count: int

    def through(self) -> dict[int, float]:
        """One backlog; returns what each thread spent on it, in microseconds a picture."""
        before, done = thread_cpu(self.process.pid), self.process.count()
        backlog = self.process.folder / f"backlog-{done}"
        photos.link_all(backlog, self.pictures, self.count)
        backlog.rename(self.process.inbox / backlog.name)
        end = done + self.count
        self.process.wait_until(lambda: self.process.count() >= end, BOUND, f"at {end} rows")
        self.process.wait_until(lambda: len(moved(self.process)) >= end, BOUND, f"at {end} files")
        after = thread_cpu(self.process.pid)
        return {thread: self.each(spent - before.get(thread, 0.0)) for thread, spent in after.items()}

    def each(self, seconds: float) -> float:
        """Microseconds a picture."""
        return 1e6 * seconds / self.count


def stages(samples: Sequence[Sample], spent: Mapping[int, float]) -> Counter[str]:
    """Divides what each thread spent among the stages that it was seen in."""
    seen = Counter[int]()
    for sample in samples:
        seen[sample.thread] += sample.count
    divided = Counter[str]()
    for sample in samples:
        share = sample.count / seen[sample.thread]
        divided[stage_of(sample.frames)] += share * spent.get(sample.thread, 0.0)
    return divided


def stage_of(frames: Sequence[str]) -> str:
    """The stage of a stack as py-spy writes it, outermost call first: `function (file)`."""
    for frame in reversed(frames):
        found = _FRAME.fullmatch(frame)
        if found is None:
            continue
        for name in found["function"].split("."):  # as in `Class.method` or `function.<locals>.<genexpr>`
            if (stage := _BY_FUNCTION.get(f"{found['file']}:{name}")) is not None:
                return stage
        for start, stage in _BY_FILE:
            if found["file"].startswith(start):
                return stage
    return OTHER


_BY_FUNCTION = {place: stage for stage, places in STAGES.items() for place in places if ":" in place}
_BY_FILE = [(place, stage) for stage, places in STAGES.items() for place in places if ":" not in place]


def _counted(samples: Sequence[Sample]) -> Counter[str]:
    counted = Counter[str]()
    for sample in samples:
        counted[stage_of(sample.frames)] += sample.count
    return counted


def _lines(kind: str, each: Mapping[str, float], floors: Mapping[str, float] | None = None) -> list[Figure]:
    """The largest first."""
    floors = floors or {}
    lines = []
    for name, value in sorted(each.items(), key=lambda item: -item[1]):
        if value >= LEAST:
            floor = floors.get(name)
            lines.append(Figure(f"{kind} {name}", UNIT, value, floor, value / floor if floor else None))
    return lines
