"""What the threads of a process are doing, as py-spy sees it from outside."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PY_SPY = Path(sys.executable).with_name("py-spy")
LOOKS = 200
"""A second."""
_PATIENCE = 60.0
_BEGUN = "Sampling process"


class SamplingRefused(Exception):
    """The system does not let one process look into another (Yama's ptrace_scope, a container's rights)."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A stack, outermost call first, and how often a thread (its number in the system) was seen in it."""

    thread: int
    frames: tuple[str, ...]
    count: int


def thread_names(pid: int) -> dict[int, str]:
    """The names of the Python threads by their numbers in the system. Raises SamplingRefused."""
    done = subprocess.run(
        [PY_SPY, "dump", "--json", "--pid", str(pid)],
        capture_output=True,
        text=True,
        timeout=_PATIENCE,
        check=False,
    )
    if done.returncode:
        raise SamplingRefused(done.stderr.strip())
    return {one["os_thread_id"]: one["thread_name"] for one in json.loads(done.stdout)}


@contextmanager
def sampled(pid: int, output: Path, *options: str) -> Iterator[list[Sample]]:
    """Looks at the threads that work while the block runs, without stopping them; what was seen is in the
    list after the block. Raises SamplingRefused."""
    command = [PY_SPY, "record", "--pid", str(pid), "--output", output, "--format", "raw", "--threads"]
    further = ["--nolineno", "--nonblocking", "--rate", str(LOOKS), "--duration", "unlimited", *options]
    spy = subprocess.Popen([*command, *further], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        assert spy.stdout is not None
        told = spy.stdout.readline()
        if _BEGUN not in told:
            raise SamplingRefused(told + spy.communicate(timeout=_PATIENCE)[0])
        samples: list[Sample] = []
        yield samples
        spy.send_signal(signal.SIGINT)
        spy.communicate(timeout=_PATIENCE)
        samples += map(read_sample, output.read_text().splitlines())
    finally:
        spy.kill()
        spy.communicate()


def read_sample(line: str) -> Sample:
    """A line of py-spy's raw format: `thread (NUMBER): NAME;function (file);... COUNT`."""
    stack, _, count = line.rpartition(" ")
    thread, *frames = stack.split(";")
    return Sample(int(thread.partition("(")[2].partition(")")[0]), tuple(frames), int(count))
