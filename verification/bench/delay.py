"""6: from a file's closing to its row, by a daemon that has nothing else to do and is told by the kernel."""

import http.client
import sqlite3
import time
from base64 import b64encode
from pathlib import Path
from urllib.parse import urlsplit

import orjson

from verification.bench import photos
from verification.bench.figures import Figure, at_most
from verification.bench.processes import BOUND, answering_at_once, daemon
from verification.bench.scale import Scale
from verification.kit.daemon import DaemonProcess
from verification.kit.percentiles import percentile

NATIVE = {"CLASSIFYD_INBOX__WATCH": "native"}
PAUSE = 0.02
"""Seconds between a row and the next file: the daemon is idle again."""
LOOK = 0.0005
"""Seconds between two looks at the database: the error of the measurement."""


def measure(scale: Scale, folder: Path) -> list[Figure]:
    """The delay's median and 99th percentile, less what the model server takes for one picture itself, which
    stands beside them."""
    pictures = list(photos.numbered(photos.photo(), scale.delays * scale.rounds))
    with answering_at_once() as url, daemon(folder, NATIVE, "--model-url", url, http=True) as process:
        itself = _ask_directly(url, pictures)
        delays = _drop_one_by_one(process, pictures)
    return [
        Figure(
            f"file closed to row committed, {name}, beyond the server's own",
            "ms",
            1000 * (percentile(delays, share) - percentile(itself, share)),
            against=1000 * percentile(itself, share),
            target=at_most(bound),
        )
        for name, share, bound in (("p50", 0.5, 15), ("p99", 0.99, 40))
    ]


def _ask_directly(url: str, pictures: list[bytes]) -> list[float]:
    connection = http.client.HTTPConnection(urlsplit(url).netloc)
    took = []
    for picture in pictures:
        body = orjson.dumps({"instances": [{"b64": b64encode(picture).decode()}]})
        started = time.monotonic()
        connection.request("POST", "/v1/models/resnet:predict", body)
        connection.getresponse().read()
        took.append(time.monotonic() - started)
    connection.close()
    return took


def _drop_one_by_one(process: DaemonProcess, pictures: list[bytes]) -> list[float]:
    took = []
    rows = sqlite3.connect(f"file:{process.database}?mode=ro", uri=True)
    for number, picture in enumerate(pictures, start=1):
        with (process.inbox / f"{number:06d}.jpg").open("wb") as file:
            file.write(picture)
        closed = time.monotonic()
        while rows.execute("SELECT count(*) FROM results").fetchone()[0] < number:
            assert time.monotonic() - closed < BOUND, f"no row for picture {number}"
            time.sleep(LOOK)
        took.append(time.monotonic() - closed)
        time.sleep(PAUSE)
    rows.close()
    return took
