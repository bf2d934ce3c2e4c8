"""Load from three sides. Each feeder is a process of its own, keeps its pace, and notes what it put in.

Every picture holds bytes of its own, so that its hash names it; a few are not sound.
"""

import csv
import hashlib
import http.client
import json
import random
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from kafka import KafkaProducer
from PIL import Image as Picture

from verification.faults.soak.pace import Pace

BAD_EVERY = 50
FILES_PER_FOLDER = 500
FOLDERS = 200
"""Names come again after FILES_PER_FOLDER * FOLDERS files, long after the first are done."""
CLIENTS = 24
_SIDE = 64
_ANSWER_BOUND = 60.0
_IDLE = 2.0  # seconds after which a connection is not trusted: the server closes it some time
_FLUSH_BOUND = 120.0


@dataclass(frozen=True, slots=True)
class Fed:
    """A picture: its bytes, their hash, and whether it is sound."""

    data: bytes
    sha256: str
    good: bool


class Pictures:
    """Pictures by number, of a few kilobytes each."""

    def __init__(self, seed: int, source: str) -> None:
        noise = random.Random(seed).randbytes(_SIDE * _SIDE * 3)
        encoded = BytesIO()
        Picture.frombytes("RGB", (_SIDE, _SIDE), noise).save(encoded, "JPEG")
        self._base = encoded.getvalue()
        self._source = source

    def picture(self, number: int) -> Fed:
        """Of BAD_EVERY pictures one is truncated or none at all."""
        comment = f"{self._source} {number}".encode()
        segment = b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment
        data = self._base[:2] + segment + self._base[2:]
        good = number % BAD_EVERY != BAD_EVERY - 1
        if not good:
            data = data[: len(data) // 2] if number % (2 * BAD_EVERY) == BAD_EVERY - 1 else comment
        return Fed(data, hashlib.sha256(data).hexdigest(), good)


@dataclass(frozen=True, slots=True)
class Drop:
    """A line of the folder's journal; `moment` is UNIX time."""

    moment: float
    path: str
    sha256: str
    good: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """A line of the HTTP journal: due and answered (UNIX time), status (0: no answer), the result's id."""

    due: float
    moment: float
    status: int
    id: str
    sha256: str


def feed_folder(pace: Pace, journal: Path, seed: int, inbox: Path) -> None:
    """Drops files, in turn written in place and moved in. A folder is removed once it is empty, and comes
    back later, as a camera's may."""
    pictures = Pictures(seed, "folder")
    with journal.open("w", newline="") as lines:
        writer = csv.writer(lines)
        for number, _due in enumerate(pace.turns()):
            fed = pictures.picture(number)
            relative = _place(number)
            path = inbox / relative
            path.parent.mkdir(parents=True, exist_ok=True)
            moment = time.time()
            if number % 2:
                path.write_bytes(fed.data)
            else:
                partial = path.with_suffix(".part")
                partial.write_bytes(fed.data)
                moment = time.time()
                partial.rename(path)
            pace.count()
            writer.writerow((moment, relative, fed.sha256, int(fed.good)))
            if number % FILES_PER_FOLDER == FILES_PER_FOLDER - 1:
                _remove_empty(inbox)


def _place(number: int) -> str:
    return f"{number // FILES_PER_FOLDER % FOLDERS:03}/{number % FILES_PER_FOLDER:03}.jpg"


def _remove_empty(inbox: Path) -> None:
    for folder in inbox.iterdir():
        if folder.name.isdigit():
            with suppress(OSError):  # something waits in it
                folder.rmdir()


def drops(journal: Path) -> Iterator[Drop]:
    """What the folder's feeder noted."""
    with journal.open(newline="") as lines:
        for moment, path, sha256, good in csv.reader(lines):
            yield Drop(float(moment), path, sha256, bool(int(good)))


def feed_kafka(pace: Pace, journal: Path, seed: int, connection: dict[str, Any], topic: str) -> None:
    """Produces records, and keeps those that a broker which is away does not take yet. What became of them is
    read from the topic; the journal has the hashes of the sound ones."""
    pictures = Pictures(seed, "kafka")
    producer = KafkaProducer(**connection, acks="all", linger_ms=5, delivery_timeout_ms=_FLUSH_BOUND * 1000)
    with journal.open("w") as lines:
        for number, _due in enumerate(pace.turns()):
            fed = pictures.picture(number)
            sent = producer.send(topic, fed.data, key=str(number).encode())
            sent.add_errback(lambda _error: pace.count(-1))
            pace.count()
            if fed.good:
                print(fed.sha256, file=lines)
    producer.flush(timeout=_FLUSH_BOUND)
    producer.close()


def feed_http(pace: Pace, journal: Path, seed: int, url: str) -> None:
    """Posts pictures over connections that are kept alive, each client at its share of the pace."""
    pictures = Pictures(seed, "http")
    lock = threading.Lock()
    with journal.open("w", newline="", buffering=1) as lines:
        writer = csv.writer(lines)

        def work(client: int) -> None:
            connection = _Connection(url)
            for turn, due in enumerate(pace.turns(CLIENTS)):
                fed = pictures.picture(turn * CLIENTS + client)
                status, result = connection.classify(fed.data)
                if status == http.HTTPStatus.OK:
                    pace.count()
                with lock:
                    writer.writerow((due, time.time(), status, result, fed.sha256))

        threads = [threading.Thread(target=work, args=(client,)) for client in range(CLIENTS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


class _Connection:
    def __init__(self, url: str) -> None:
        address = urlsplit(url)
        assert address.hostname is not None
        self._connection = http.client.HTTPConnection(address.hostname, address.port, timeout=_ANSWER_BOUND)
        self._used = 0.0

    def classify(self, data: bytes) -> tuple[int, str]:
        """The status, and the result's id where there is one. Status 0 where no answer came."""
        if time.monotonic() - self._used > _IDLE:
            self._connection.close()
        self._used = time.monotonic()
        try:
            self._connection.request("POST", "/classify/resnet?top=1", data, {"Content-Type": "image/jpeg"})
            response = self._connection.getresponse()
            body = json.loads(response.read())
        except (OSError, http.client.HTTPException):
            self._connection.close()
            return 0, ""
        return response.status, body.get("id", "")


def answers(journal: Path) -> Iterator[Answer]:
    """What the HTTP feeder noted."""
    with journal.open(newline="") as lines:
        for line in csv.reader(lines):
            yield answer(line)


def answer(line: list[str]) -> Answer:
    """A line of the HTTP journal."""
    due, moment, status, result, sha256 = line
    return Answer(float(due), float(moment), int(status), result, sha256)
