"""Feeds a topic and an inbox with pictures of which no two are alike, and remembers what was put in."""

import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kafka import KafkaProducer

from verification.faults import evidence
from verification.faults.evidence import sha256
from verification.faults.inputs import move_in
from verification.faults.oracle import Dropped, Inputs, Produced
from verification.kit.pictures import jpeg

BAD_EVERY = 50
FOLDERS, NAMES = 7, 100
ANSWER = 60.0


class Feeder:
    """Every 50th picture is none. Names of files come again, also while the first of a name is under way."""

    def __init__(self, connection: Mapping[str, Any], topic: str, inbox: Path, dice: random.Random) -> None:
        self._producer = KafkaProducer(**connection, acks="all", linger_ms=5)
        self._topic = topic
        self._inbox = inbox
        self._dice = dice
        self._made = 0
        self._dropped: list[Dropped] = []
        self._produced: list[Produced] = []

    @property
    def inputs(self) -> Inputs:
        """Everything that was put in so far."""
        return Inputs(tuple(self._dropped), tuple(self._produced))

    @property
    def waiting(self) -> bool:
        """Whether pictures lie in the inbox, claimed ones too; daemons may move them meanwhile."""
        return any(path.suffix == ".jpg" for path in evidence.paths(self._inbox))

    def produce(self, count: int) -> None:
        """Sends records, and waits until the broker has them."""
        pictures = [self._make() for _ in range(count)]
        sent = [self._producer.send(self._topic, data, key=sha256(data).encode()) for data, _good in pictures]
        for future, (data, good) in zip(sent, pictures, strict=True):
            where = future.get(timeout=ANSWER)
            self._produced.append(Produced(where.partition, where.offset, sha256(data), good))

    def drop(self, count: int) -> None:
        """Moves files into the inbox."""
        for _ in range(count):
            data, good = self._make()
            self._dropped.append(move_in(self._inbox, self._free_name(), data, good))

    def close(self) -> None:
        self._producer.close(timeout=ANSWER)

    def _free_name(self) -> str:
        """A name that no file of the inbox bears just now: nobody else puts any there."""
        while True:
            folder, name = self._dice.randrange(FOLDERS), self._dice.randrange(NAMES)
            place = f"folder-{folder}/{name}.jpg"
            if not (self._inbox / place).exists():
                return place

    def _make(self) -> tuple[bytes, bool]:
        self._made += 1
        number = b"%012d" % self._made
        if self._made % BAD_EVERY == 0:
            return b"no picture " + number, False
        return jpeg("red", (16, 16), comment=number), True
