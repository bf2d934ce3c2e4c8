"""Hands records over to the intake, as far as there is credit for them."""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple

from classifyd.core.gate import Limits
from classifyd.core.images import examine, sha256_of
from classifyd.core.names import encode
from classifyd.core.ports import Inlet
from classifyd.core.values import (
    Delivery,
    Disposition,
    Image,
    Origin,
    Record,
    Rejected,
    Settlement,
    Source,
)
from classifyd.crashpoints import Point, reached
from classifyd.sources.kafka.partitions import Partition
from classifyd.sources.kafka.pictures import picture

RETRY_DELAY = 1.0
"""Seconds before a picture that came back with RETRY is offered again."""
BURST = 64
BURST_TIME = 0.01
"""Pictures that are handed over at once at most, and the seconds that the first of them waits for the others:
each time wakes a worker."""
LONGEST_NAME = 1024
"""Bytes of a record's key that name its picture: a name is for people, and goes into rows and log lines."""
_HEADER_COST = 128
"""Bytes that CPython takes for a header besides its text: a tuple and two objects."""


class _Held(NamedTuple):
    """A record that was polled and has no credit yet."""

    partition: Partition
    record: Any


class _Retry(NamedTuple):
    """A picture that came back. It keeps its credit, so that what is under way stays bounded."""

    due: float
    partition: Partition
    image: Image
    refusal: Rejected | None
    credit: int


class Handover:
    """Keeps the remainder of a poll, and what came back. Only `_settle` is called by other threads.

    Once `draining` is set nothing more is offered. `cluster` is the cluster's id, part of every origin.
    """

    def __init__(
        self,
        inlet: Inlet,
        limits: Limits,
        clock: Callable[[], datetime],
        cluster: str,
        draining: threading.Event,
    ) -> None:
        self._inlet = inlet
        self._limits = limits
        self._clock = clock
        self._cluster = cluster
        self._held: deque[_Held] = deque()
        self._retries: deque[_Retry] = deque()
        self._draining = draining
        self._patience = 0.0
        self._given_up = False

    def __len__(self) -> int:
        """The records that wait for credit."""
        return len(self._held)

    def hold(self, partition: Partition, records: Sequence[Any]) -> None:
        """Takes records in."""
        self._held.extend(_Held(partition, record) for record in records)

    def deliver(self, seconds: float) -> bool:
        """Offers what is held until nothing is left (True), or there is no credit (False).

        Waits for credit, `seconds` in all at most, so that polling goes on.
        """
        self._patience = seconds
        self._offer_again()
        while self._held and not self._draining.is_set():
            burst = self._burst()
            if burst:
                self._inlet.offer(*burst)
            elif self._held:
                break
        if self._draining.is_set():
            self.give_up()
        return not (self._held or self._given_up)

    def give_up(self) -> None:
        """Forgets what is held and what came back, now and from now on: it is read again after a restart."""
        self._given_up = True
        self._held.clear()
        self._forget_retries()

    def _burst(self) -> list[Delivery]:
        """The next pictures, each under a credit: waits for the first one's, and for no other's."""
        burst: list[Delivery] = []
        due = time.monotonic() + BURST_TIME
        while self._held and len(burst) < BURST and not (burst and time.monotonic() >= due):
            partition, record = self._held[0]
            if not partition.gone:
                credit = _cost(record)
                if not (self._inlet.reserve(credit) or (not burst and self._wait_for(credit))):
                    break
                if self._draining.is_set():  # while it waited for credit
                    self._inlet.release(credit)
                    break
                image, refusal = self._examine(partition, record)
                burst.append(self._delivery(partition, image, refusal, credit))
            self._held.popleft()
        return burst

    def _wait_for(self, credit: int) -> bool:
        """Reserves it when it is there, if that is within what is left of the patience."""
        began = time.monotonic()
        reserved = self._inlet.reserve(credit, max(0.0, self._patience))
        self._patience -= time.monotonic() - began
        return reserved

    def _delivery(
        self, partition: Partition, image: Image, refusal: Rejected | None, credit: int
    ) -> Delivery:
        return Delivery(image, partial(self._settle, partition, image, refusal, credit), refusal)

    def _offer_again(self) -> None:
        now = time.monotonic()
        burst: list[Delivery] = []
        for _ in range(len(self._retries)):
            retry = self._retries.popleft()
            if retry.partition.gone:
                self._inlet.release(retry.credit)
            elif retry.due > now or self._inlet.closed:
                self._retries.append(retry)
            else:
                burst.append(self._delivery(retry.partition, retry.image, retry.refusal, retry.credit))
        if burst:
            self._inlet.offer(*burst)

    def _forget_retries(self) -> None:
        with suppress(IndexError):
            while True:
                self._inlet.release(self._retries.popleft().credit)

    def _settle(
        self,
        partition: Partition,
        image: Image,
        refusal: Rejected | None,
        credit: int,
        settlement: Settlement,
    ) -> None:
        if settlement.disposition is Disposition.RETRY and not (partition.gone or self._given_up):
            due = time.monotonic() + RETRY_DELAY
            self._retries.append(_Retry(due, partition, image, refusal, credit))
            if self._given_up:  # meanwhile: the other thread may have looked too early
                self._forget_retries()
            return
        if settlement.disposition is not Disposition.RETRY and image.origin.offset is not None:
            partition.settle(image.origin.offset)
            reached(Point.RECORD_SETTLED)
        self._inlet.release(credit)

    def _examine(self, partition: Partition, record: Any) -> tuple[Image, Rejected | None]:
        origin = self._origin(partition, record)
        headers = tuple(record.headers)
        kept = Record(record.topic, record.partition, record.offset, record.key, record.value, headers)
        data, traceparent = picture(headers, record.value)
        received_at = self._clock()
        if isinstance(data, bytes):
            return examine(origin, data, self._limits, received_at, traceparent, kept)
        image = Image(
            origin=origin,
            data=record.value,
            sha256=sha256_of(record.value),
            size_bytes=len(record.value),
            width=None,
            height=None,
            received_at=received_at,
            traceparent=traceparent,
            record=kept,
        )
        return image, data

    def _origin(self, partition: Partition, record: Any) -> Origin:
        incarnation = partition.incarnation or record.timestamp
        place = f"{record.topic}/{incarnation}/{record.partition}/{record.offset}"
        return Origin(
            source=Source.KAFKA,
            key=f"kafka:{self._cluster}/{place}",
            name=None if record.key is None else encode(record.key[:LONGEST_NAME]),
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
        )


def _cost(record: Any) -> int:
    """Bytes that a record takes while it is under way: a dead letter repeats its key and its headers too."""
    headers = sum(len(name) + len(value or b"") + _HEADER_COST for name, value in record.headers)
    return len(record.value) + len(record.key or b"") + headers
