"""8: an inbox with a crowd of files: how soon the first row is there, and how much memory it takes."""

import shutil
import time
from pathlib import Path
from statistics import median

from verification.bench import photos
from verification.bench.figures import Figure, at_most, side_by_side
from verification.bench.processes import BOUND, answering_at_once, daemon
from verification.bench.scale import Scale
from verification.kit.daemon import DaemonProcess
from verification.kit.process import memory

DIFFERENT = 1_000
"""Files that the crowd's are hard links to: a hundred thousand of 51 KB would fill disks."""
LOOK = 0.5
MEBIBYTE = 2**20
EDGE = 10
"""Memory at the start and at the end is the median of this part of the looks."""


def measure(scale: Scale, folder: Path) -> list[Figure]:
    """Seconds from the start to the first row, with a crowd in the inbox and with one file; then the
    resident memory while the crowd is worked off to its end."""
    photos.write_all(folder / "pictures", photos.photo(), min(scale.crowd, DIFFERENT))
    for name, count in (("crowd", scale.crowd), ("one", 1)):
        photos.link_all(folder / name / "data" / "inbox", folder / "pictures", count)
    with answering_at_once() as url:
        first = side_by_side(
            f"start to first row, {scale.crowd:,} files",
            "s",
            lambda: _first_row(folder / "crowd", url),
            lambda: _first_row(folder / "one", url),
            scale.rounds,
            at_most(2),
        )
        levels = _memory_to_the_end(folder / "crowd", url, scale.crowd)
    # The first tenth still fills what stays: queues, caches, the database's pages.
    edge = max(1, len(levels) // EDGE)
    early, end = median(levels[edge : 2 * edge] or levels), median(levels[-edge:])
    return [
        first,
        Figure("memory at most", "MiB", max(levels), target=at_most(300)),
        Figure("memory at the end, against early", "MiB", end, early, end / early, at_most(1.1)),
    ]


def _first_row(folder: Path, url: str) -> float:
    """With a database and folders that are made meanwhile; they are removed again, and what was taken is put
    back."""
    started = time.monotonic()
    with daemon(folder, {}, "--model-url", url) as process:
        process.wait_until(lambda: process.count() > 0, BOUND, "at its first row")
        took = time.monotonic() - started
    _put_back(process)
    return took


def _put_back(process: DaemonProcess) -> None:
    data = process.inbox.parent
    for path in [*process.done.rglob("*.jpg"), *process.inbox.glob(".classifyd/**/*.jpg")]:
        path.rename(process.inbox / path.name)
    shutil.rmtree(process.inbox / ".classifyd")
    for left in data.iterdir():
        if left.is_dir() and left != process.inbox:
            shutil.rmtree(left)
        elif left.is_file():
            left.unlink()


def _memory_to_the_end(folder: Path, url: str, count: int) -> list[float]:
    """Resident memory in MiB, every half second from the first row on."""
    levels: list[float] = []
    with daemon(folder, {}, "--model-url", url) as process:
        process.wait_until(lambda: process.count() > 0, BOUND, "at its first row")

        def at_the_end() -> bool:
            levels.append(memory(process.pid, "VmRSS") / MEBIBYTE)
            time.sleep(LOOK)
            return process.count() >= count

        process.wait_until(at_the_end, BOUND, f"at {count} rows")
    return levels
