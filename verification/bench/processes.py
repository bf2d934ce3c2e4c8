"""The processes of a measurement: everything that is measured, and what it talks to, has one of its own."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from verification.kit.daemon import DaemonProcess

CHECKOUT = Path(__file__).parents[2]
BOUND = 300.0
"""Seconds that a measured command may take at most."""
NOBODY = "127.0.0.1:9"
"""An address where no broker answers (the port of the discard protocol, RFC 863)."""
INSTANT = ("verification.kit.instant", "--port", "0")
INSTANT_GRPC = ("verification.kit.instant_grpc", "--port", "0")


class DidNotRun(Exception):
    """Something that a measurement needs ended before its time; the message says what and, if told, why."""


@dataclass(frozen=True, slots=True)
class Server:
    """Its address, and the number of its process."""

    url: str
    pid: int


@contextmanager
def answering_at_once() -> Iterator[str]:
    """The answer-at-once stand-in for TensorFlow Serving; gives its address."""
    with listening(*INSTANT) as url:
        yield url


@contextmanager
def listening(module: str, *arguments: str) -> Iterator[str]:
    """A server that prints its address as its first line, until the block ends; gives that line."""
    with serving(module, *arguments) as server:
        yield server.url


@contextmanager
def serving(module: str, *arguments: str) -> Iterator[Server]:
    """The same, with its process. Raises DidNotRun."""
    process = subprocess.Popen(
        [sys.executable, "-m", module, *arguments], cwd=CHECKOUT, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        if not (url := process.stdout.readline().strip()):
            raise DidNotRun(f"{module} ended with {process.wait()} before it listened")
        yield Server(url, process.pid)
    finally:
        process.kill()
        process.communicate()


def run(module: str, *arguments: str | Path) -> str:
    """What a module prints, run as a process of its own. Raises CalledProcessError."""
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=CHECKOUT,
        stdout=subprocess.PIPE,
        text=True,
        timeout=BOUND,
        check=True,
    )
    return done.stdout


@contextmanager
def daemon(
    folder: Path, settings: Mapping[str, str], *arguments: str, http: bool = False
) -> Iterator[DaemonProcess]:
    """`classifyd run` in `folder`, killed when the block ends. With `http` it is ready when the block begins,
    otherwise it has just been started and serves nothing."""
    process = DaemonProcess(folder, settings)
    if http:
        process.start(*arguments)
    else:
        process.launch("--no-http", *arguments)
    try:
        yield process
    finally:
        process.kill()


def first_read(process: DaemonProcess) -> float:
    """When the daemon read its first picture (seconds since the epoch)."""
    first = process.rows("SELECT min(received_at) AS first FROM results")[0]["first"]
    return datetime.fromisoformat(first).timestamp()


def through_the_daemon(
    folder: Path, pictures: Path, count: int, settings: Mapping[str, str], *arguments: str
) -> float:
    """Pictures per second of a daemon that finds links to the pictures in its inbox, from the first one read
    to the last one moved: start-up is not counted. The folder is removed afterwards."""
    shutil.copytree(pictures, folder / "data" / "inbox", copy_function=os.link)
    with daemon(folder, settings, *arguments) as process:
        # To look at the files each time would cost as much as the daemon's work on them.
        process.wait_until(lambda: process.count() >= count, BOUND, f"at {count} rows")
        process.wait_until(lambda: len(moved(process)) >= count, BOUND, f"at {count} files")
        # Linking a file into `done` changes its status, and nothing does afterwards.
        last_move = max(path.stat().st_ctime for path in moved(process))
        rate = count / (last_move - first_read(process))
    shutil.rmtree(folder)
    return rate


def moved(process: DaemonProcess) -> list[Path]:
    """The files in its `done`."""
    return [path for path in process.done.rglob("*.jpg") if path.is_file()]
