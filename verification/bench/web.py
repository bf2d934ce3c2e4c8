"""3 and 7: `POST /classify/resnet` against a Flask app that forwards, and beside a backlog of files."""

import shutil
from pathlib import Path
from statistics import median

import orjson

from verification.bench import photos
from verification.bench.figures import Figure, at_least, at_most, side_by_side
from verification.bench.processes import BOUND, answering_at_once, daemon, listening, run
from verification.bench.scale import Scale
from verification.kit.daemon import DaemonProcess
from verification.kit.percentiles import percentile

MANY = 32
PAUSE = 0.005
"""Seconds between an answer and the next request of the one client beside a backlog: hardly a load of its
own, and enough answers for a 99th percentile."""


def measure(scale: Scale, folder: Path) -> list[Figure]:
    """Answers per second to 32 clients, and the median time to answer for one."""
    picture = _picture(folder)
    with (
        answering_at_once() as model,
        listening("verification.bench.forwarding", model) as flask,
        daemon(folder / "work", {}, "--model-url", model, http=True) as process,
    ):
        return [
            side_by_side(
                f"HTTP, {MANY} clients",
                "answers/s",
                lambda: len(times(process.url, picture, MANY, scale.seconds)) / scale.seconds,
                lambda: len(times(flask, picture, MANY, scale.seconds)) / scale.seconds,
                scale.rounds,
                at_least(6),
            ),
            side_by_side(
                "HTTP, 1 client, p50",
                "ms",
                lambda: median(times(process.url, picture, 1, scale.seconds)),
                lambda: median(times(flask, picture, 1, scale.seconds)),
                scale.rounds,
                at_most(1),
            ),
        ]


def beside_a_backlog(scale: Scale, folder: Path) -> list[Figure]:
    """The 99th percentile of one client's time to answer while files are worked off, and while none are."""
    pictures = folder / "pictures"
    photos.write_all(pictures, photos.photo(), scale.long_backlog)
    picture, work = _picture(folder), folder / "work"
    with answering_at_once() as model, daemon(work, {}, "--model-url", model, http=True) as process:
        return [
            side_by_side(
                f"HTTP p99 beside a backlog of {scale.long_backlog:,} files",
                "ms",
                lambda: _p99_beside(process, picture, pictures, scale),
                lambda: percentile(times(process.url, picture, 1, scale.seconds, PAUSE), 0.99),
                scale.rounds,
                at_most(3),
            )
        ]


def times(url: str, picture: Path, clients: int, seconds: float, pause: float = 0.0) -> list[float]:
    """The times to answer, in milliseconds, of all requests of that many clients within `seconds`."""
    told = run("verification.bench.load", url, picture, str(clients), str(seconds), str(pause))
    return [1000 * one for one in orjson.loads(told)]


def _p99_beside(process: DaemonProcess, picture: Path, pictures: Path, scale: Scale) -> float:
    """Fails when the backlog ended before the load did: then there was nothing to be beside."""
    begun = _from_folder(process)
    shutil.copytree(pictures, process.folder / "backlog")
    (process.folder / "backlog").rename(process.inbox / f"backlog-{begun}")
    process.wait_until(lambda: _from_folder(process) > begun, BOUND, "at work on the backlog")
    taken = times(process.url, picture, 1, scale.seconds, PAUSE)
    end = begun + scale.long_backlog
    assert _from_folder(process) < end, "the backlog was too short"
    process.wait_until(lambda: _from_folder(process) >= end, BOUND, f"at {end} files")
    return percentile(taken, 0.99)


def _from_folder(process: DaemonProcess) -> int:
    return int(process.rows("SELECT count(*) AS n FROM results WHERE source = 'folder'")[0]["n"])


def _picture(folder: Path) -> Path:
    picture = folder / "photo.jpg"
    picture.write_bytes(photos.photo())
    return picture
