"""Publishes what waits in the outbox, in order, and has it marked after the broker's acknowledgement."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from classifyd.core.backoff import Backoff
from classifyd.core.errors import MessageTooLarge, PublishError, StoreUnavailable
from classifyd.core.ports import Outbox, Part, Publisher
from classifyd.core.values import Message, Pending
from classifyd.crashpoints import Point, reached
from classifyd.telemetry import emit, metrics
from classifyd.telemetry.pipeline import LetterReduced

BATCH_BYTES = 8 * 2**20
PUBLISH_TIMEOUT = 30.0
LONGEST_IDLE = 5.0
MEASURE_EVERY = 5.0


@dataclass(slots=True)
class _Blocked:
    """A topic that failed: not tried before `until` (monotonic)."""

    backoff: Backoff
    reason: str
    until: float


class Relay:
    """A service. Order holds per topic; a topic that fails waits with backoff and blocks only itself.

    `mark(positions)` has rows marked as published; until that is committed, `after` keeps them from being
    read again. A crash between acknowledgement and mark sends a message twice, with the same `ce_id`.
    `reduce` makes the next smaller form of a dead letter that is over the broker's limit, None for what has
    none: that waits until the limit is raised.
    """

    name = "relay"

    def __init__(
        self,
        outbox: Outbox,
        publisher: Publisher,
        mark: Callable[[Sequence[int]], None],
        reduce: Callable[[Message], Message | None],
        part: Part,
    ) -> None:
        self._outbox = outbox
        self._publisher = publisher
        self._mark = mark
        self._reduce = reduce
        self._part = part
        self._after: dict[str, int] = {}
        self._blocked: dict[str, _Blocked] = {}
        self._changed = threading.Condition()
        self._hinted = True
        self._measure_at = 0.0
        self._stop_at: float | None = None

    def hint(self) -> None:
        """There may be something new. Never blocks."""
        with self._changed:
            self._hinted = True
            self._changed.notify_all()

    def run(self) -> None:
        """Publishes until stopped; then what waits, as far as the time given to `stop_within` allows."""
        self._part.up()
        try:
            while not self._ended():
                if not self._publish_next() and not self._rest():
                    return
        finally:
            self._publisher.close(self._seconds_left())

    def stop(self) -> None:
        self.stop_within(0.0)

    def stop_within(self, seconds: float) -> None:
        """Asks it to publish what waits, for `seconds` at most, and to end."""
        with self._changed:
            if self._stop_at is None:
                self._stop_at = time.monotonic() + seconds
            self._changed.notify_all()

    def _rest(self) -> bool:
        """Waits until there may be something to send; False when it is stopped and nothing will come."""
        with self._changed:
            seconds = self._idle_seconds()
            if self._stop_at is None:
                self._changed.wait_for(lambda: self._hinted or self._stop_at is not None, seconds)
            elif not self._blocked or time.monotonic() + seconds >= self._stop_at:
                return False
            else:  # a topic that failed may be back before the time given is over
                self._changed.wait(seconds)
            self._hinted = False
            return True

    def _ended(self) -> bool:
        return self._stop_at is not None and time.monotonic() >= self._stop_at

    def _seconds_left(self) -> float:
        if self._stop_at is None:
            return PUBLISH_TIMEOUT
        return min(PUBLISH_TIMEOUT, max(0.1, self._stop_at - time.monotonic()))

    def _idle_seconds(self) -> float:
        now = time.monotonic()
        return min([LONGEST_IDLE, *(max(0.0, topic.until - now) for topic in self._blocked.values())])

    def _publish_next(self) -> bool:
        """Publishes one batch; False when nothing could be sent now."""
        now = time.monotonic()
        resting = [topic for topic, blocked in self._blocked.items() if blocked.until > now]
        try:
            batch = self._outbox.pending(self._after, resting, BATCH_BYTES)
            self._measure(now)
        except StoreUnavailable as error:
            self._part.down(str(error))
            return False
        if not batch:
            self._tell()
            return False
        reached(Point.OUTBOX_READ)
        started = time.monotonic()
        outcomes = self._publisher.publish(batch, self._seconds_left())
        metrics.stage_duration.labels("publish").observe(time.monotonic() - started)
        self._conclude(batch, outcomes)
        return True

    def _measure(self, now: float) -> None:
        """Counts what waits, now and then only: counting a long backlog takes its time."""
        if now >= self._measure_at:
            self._measure_at = now + MEASURE_EVERY
            metrics.outbox_pending.set(self._outbox.count())

    def _conclude(self, batch: list[Pending], outcomes: Mapping[int, PublishError | None]) -> None:
        """Marks what went out. The first failure of a topic ends it for now: what follows keeps its order."""
        marked: list[int] = []
        failed: set[str] = set()
        published: Counter[str] = Counter()
        for pending in batch:
            topic = pending.message.topic
            if topic in failed:
                continue
            error = outcomes[pending.position]
            if isinstance(error, MessageTooLarge):
                error = self._publish_reduced(pending, error)
            if error is None:
                marked.append(pending.position)
                self._after[topic] = pending.position
                self._blocked.pop(topic, None)
                published[topic] += 1
            else:
                failed.add(topic)
                self._block(topic, error)
        for topic, count in published.items():
            metrics.published.labels(topic).inc(count)
        if marked:
            reached(Point.BATCH_PUBLISHED)
            self._mark(marked)
            reached(Point.MARKS_POSTED)
        self._tell()

    def _publish_reduced(self, pending: Pending, error: PublishError) -> PublishError | None:
        outcome: PublishError | None = error
        while isinstance(outcome, MessageTooLarge) and (smaller := self._reduce(pending.message)) is not None:
            pending = replace(pending, message=smaller)
            reached(Point.VALUE_OMITTED)
            outcome = self._publisher.publish([pending], self._seconds_left())[pending.position]
            if outcome is None:
                emit(LetterReduced(topic=pending.message.topic, detail=str(error)))
        return outcome

    def _block(self, topic: str, error: PublishError) -> None:
        blocked = self._blocked.setdefault(topic, _Blocked(Backoff(0.25, 30.0), "", 0.0))
        blocked.reason = str(error)
        blocked.until = time.monotonic() + blocked.backoff.next()

    def _tell(self) -> None:
        if self._blocked:
            self._part.down(
                "; ".join(f"topic {name}: {topic.reason}" for name, topic in self._blocked.items())
            )
        else:
            self._part.up()
