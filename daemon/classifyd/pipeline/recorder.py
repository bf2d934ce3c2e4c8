"""Records outcomes: the owner of the database's writing side."""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

from classifyd.core.backoff import Backoff
from classifyd.core.errors import StoreUnavailable, UnstorableRow
from classifyd.core.ports import Part, ResultStore
from classifyd.core.values import (
    Delivery,
    Image,
    Message,
    Outcome,
    Reason,
    Rejected,
    Result,
    Settlement,
    Source,
)
from classifyd.crashpoints import Point, reached
from classifyd.pipeline.tally import Tally
from classifyd.telemetry import metrics

MAX_GROUP = 256
"""Rows in one transaction at most: beyond it a commit gains little, and the first waits for the last."""

FEW = 8
"""Others in a transaction for which somebody waits."""

PRUNE_AT_ONCE = 1000
LONGEST_IDLE = 60.0


_DURATION = metrics.stage_duration.labels("record")


class _Entry(NamedTuple):
    delivery: Delivery
    result: Result
    messages: tuple[Message, ...]


class Recorder:
    """A service that writes what waits in one transaction, and settles each delivery after its commit.

    `compose(result, delivery)` makes the messages that go to the outbox with a new row; `new_id` makes
    ULIDs that rise. `committed` is called after each transaction that may have put messages there.
    While the database cannot be written, the same transaction is tried again: nothing is settled.
    """

    name = "recorder"

    def __init__(
        self,
        store: ResultStore,
        compose: Callable[[Result, Delivery], tuple[Message, ...]],
        part: Part,
        tally: Tally,
        clock: Callable[[], datetime],
        new_id: Callable[[], str],
    ) -> None:
        self._store = store
        self._compose = compose
        self._part = part
        self._tally = tally
        self._clock = clock
        self._new_id = new_id
        lock = threading.RLock()
        # Each wakes only those who wait for it: an outcome the recorder, the end of a transaction `flush`.
        self._changed = threading.Condition(lock)
        self._written = threading.Condition(lock)
        self._waiting: deque[tuple[Delivery, Outcome, str]] = deque()
        self._awaited: deque[tuple[Delivery, Outcome, str]] = deque()  # somebody waits for the answer
        self._published: list[int] = []
        self._prune_before: datetime | None = None
        self._busy = False
        self._stopped = False
        self.committed: Callable[[], None] = lambda: None

    def submit(self, delivery: Delivery, outcome: Outcome, model: str) -> None:
        """Takes over a delivery with what was found. Never blocks: it is under credit."""
        with self._changed:
            awaited = delivery.image.origin.source is Source.HTTP
            (self._awaited if awaited else self._waiting).append((delivery, outcome, model))
            self._changed.notify()

    def mark_published(self, positions: Sequence[int]) -> None:
        """Has these outbox rows marked in the next transaction."""
        with self._changed:
            self._published.extend(positions)
            self._changed.notify()

    def prune_outbox(self, before: datetime) -> None:
        """Has outbox rows deleted that were published before then, a few at a time, when there is time."""
        with self._changed:
            self._prune_before = before
            self._changed.notify()

    def flush(self, timeout: float) -> bool:
        """Waits until nothing waits to be written; False when `timeout` seconds did not suffice."""
        with self._written:
            return self._written.wait_for(
                lambda: not (self._awaited or self._waiting or self._published or self._busy), timeout
            )

    def run(self) -> None:
        """Writes until stopped and worked off; what cannot be written by then is left unsettled."""
        self._part.up()
        while True:
            with self._changed:
                while not (self._awaited or self._waiting or self._published):
                    if self._stopped:
                        return
                    if self._prune_before is not None:
                        break
                    self._changed.wait(LONGEST_IDLE)
                self._busy = True
                taken = self._next_group()
                published, self._published = self._published, []
            if not self._record(self._entries(taken), published):
                return
            with self._written:
                self._busy = False
                self._written.notify_all()
            self._prune_some()

    def stop(self) -> None:
        with self._changed:
            self._stopped = True
            self._changed.notify()

    def _next_group(self) -> list[tuple[Delivery, Outcome, str]]:
        """Those that somebody waits for come first, and with few others."""
        awaited = [self._awaited.popleft() for _ in range(min(MAX_GROUP, len(self._awaited)))]
        room = FEW if awaited else MAX_GROUP
        return awaited + [self._waiting.popleft() for _ in range(min(room, len(self._waiting)))]

    def _entries(self, taken: list[tuple[Delivery, Outcome, str]]) -> list[_Entry]:
        """What is to be written of each, all of this moment."""
        now = self._clock()
        return [self._entry(delivery, outcome, model, now) for delivery, outcome, model in taken]

    def _entry(self, delivery: Delivery, outcome: Outcome, model: str, now: datetime) -> _Entry:
        result_id = self._new_id()
        result = _result(result_id, delivery.image, outcome, model, now)
        place = delivery.place(result)
        if place is not None:
            result = _result(result_id, delivery.image, outcome, model, now, place)
        entry = _Entry(delivery, result, self._compose(result, delivery))
        reached(Point.PLACE_PROMISED)
        return entry

    def _record(self, entries: list[_Entry], published: list[int]) -> bool:
        """False when the database could not be written before the recorder was stopped."""
        kept = []
        for entry in entries:
            if entry.result.status in entry.delivery.records:
                kept.append(entry)
            else:
                self._settle(entry, entry.result)
        started = time.monotonic()
        try:
            recorded = self._write_patiently(kept, published)
        except UnstorableRow:
            return self._record([], published) and all(self._record_alone(entry) for entry in kept)
        if recorded is None:
            return False
        if recorded:
            _DURATION.observe(time.monotonic() - started)
        self.committed()
        for entry, result in zip(kept, recorded, strict=True):
            self._settle(entry, result)
        return True

    def _record_alone(self, entry: _Entry) -> bool:
        """Records a picture of a refused transaction; one whose own data the database refuses is rejected."""
        try:
            recorded = self._write_patiently([entry], [])
        except UnstorableRow as error:
            outcome = Rejected(Reason.NOT_RECORDABLE, f"the database refuses its data: {error}")
            result = replace(entry.result, outcome=outcome, width=None, height=None, stored_path=None)
            result = replace(result, stored_path=entry.delivery.place(result))
            entry = entry._replace(result=result, messages=self._compose(result, entry.delivery))
            recorded = self._write_patiently([entry], [])
        if recorded is None:
            return False
        self.committed()
        self._settle(entry, recorded[0])
        return True

    def _settle(self, entry: _Entry, result: Result) -> None:
        self._tally.count(result, new=result is entry.result)
        entry.delivery.settle(Settlement.of(result))
        reached(Point.DELIVERY_SETTLED)

    def _write_patiently(self, entries: list[_Entry], published: list[int]) -> list[Result] | None:
        """Writes, again and again while the database is away; None when stopped meanwhile."""
        rows = [(entry.result, entry.messages) for entry in entries]
        if not rows and not published:
            return []
        backoff = Backoff(first=0.1, longest=5.0)
        while True:
            try:
                recorded = self._store.write(rows, published)
            except StoreUnavailable as error:
                self._part.down(str(error))
                with self._changed:
                    if self._changed.wait_for(lambda: self._stopped, backoff.next()):
                        return None
            else:
                reached(Point.TRANSACTION_COMMITTED)
                self._part.up()
                return recorded

    def _prune_some(self) -> None:
        """Deletes a few rows and leaves the rest for later: nobody waits for it, a stop least of all."""
        with self._changed:
            before, self._prune_before = self._prune_before, None
            if before is None or self._stopped:
                return
        try:
            deleted = self._store.prune_outbox(before, PRUNE_AT_ONCE)
        except StoreUnavailable as error:
            self._part.down(str(error))
            return
        self._part.up()
        if deleted == PRUNE_AT_ONCE:
            self.prune_outbox(before)


def _result(
    result_id: str, image: Image, outcome: Outcome, model: str, now: datetime, place: str | None = None
) -> Result:
    """Made twice where it has a place, which is asked of the first: `replace` costs twice as much."""
    return Result(
        result_id,
        image.origin,
        outcome,
        model,
        image.sha256,
        image.size_bytes,
        image.width,
        image.height,
        image.received_at,
        now,
        place,
    )
