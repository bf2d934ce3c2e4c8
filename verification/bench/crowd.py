"""8: an inbox with a crowd of files: how soon the first row is there, and how much memory it takes."""

import time
from pathlib import Path

from verification.accuracy import labelled_pictures
from verification.bench.embedded import CIFAR
from verification.bench.figures import Figure, at_most, side_by_side
from verification.bench.photos import write_all
from verification.bench.processes import BOUND, answering_at_once, daemon
from verification.bench.scale import Scale
from verification.kit.daemon import DaemonProcess
from verification.kit.process import memory

LOOK = 0.5
MEBIBYTE = 2**20


def measure(scale: Scale, folder: Path) -> list[Figure]:
    """Seconds from the start to the first new row, with a crowd in the inbox and with one file; then the
    resident memory while the crowd is worked off to its end."""
    _label, picture = next(labelled_pictures(CIFAR))
    write_all(folder / "crowd" / "data" / "inbox", picture, scale.crowd)
    with answering_at_once() as url:
        first = side_by_side(
            f"start to first row, {scale.crowd:,} files",
            "s",
            lambda: _first_row(folder / "crowd", url),
            lambda: _first_row_of_one(folder / "one", url, picture),
            scale.rounds,
            at_most(2),
        )
        levels = _memory_to_the_end(folder / "crowd", url, scale.crowd)
    warm = levels[len(levels) // 5]
    return [
        first,
        Figure("memory at most", "MiB", max(levels), target=at_most(300)),
        Figure("memory at the end", "MiB", levels[-1], warm, levels[-1] / warm, at_most(1.1)),
    ]


def _first_row_of_one(folder: Path, url: str, picture: bytes) -> float:
    inbox = folder / "data" / "inbox"
    inbox.mkdir(parents=True, exist_ok=True)
    (inbox / "one.jpg").write_bytes(picture)
    return _first_row(folder, url)


def _first_row(folder: Path, url: str) -> float:
    before = DaemonProcess(folder).count()
    started = time.monotonic()
    with daemon(folder, {}, "--model-url", url) as process:
        process.wait_until(lambda: process.count() > before, BOUND, "at its first row")
        return time.monotonic() - started


def _memory_to_the_end(folder: Path, url: str, count: int) -> list[float]:
    """Resident memory in MiB, every half second from the first row on."""
    levels: list[float] = []
    with daemon(folder, {}, "--model-url", url) as process:

        def at_the_end() -> bool:
            levels.append(memory(process.pid, "VmRSS") / MEBIBYTE)
            time.sleep(LOOK)
            return process.count() >= count

        process.wait_until(at_the_end, 2 * BOUND, f"at {count} rows")
    return levels
