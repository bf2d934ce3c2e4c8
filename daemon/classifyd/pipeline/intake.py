"""A model's intake: two lanes with credits of their own before one passive batcher."""

import threading
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from functools import partial

from classifyd.core.batching import ALL_LANES, Batcher
from classifyd.core.credits import Credits
from classifyd.core.pacing import Pace
from classifyd.core.values import Delivery, Lane, Rejected, Settlement
from classifyd.crashpoints import Point, reached
from classifyd.telemetry import metrics

LINGER = 0.005
"""Seconds that a picture waits at most for others to fill its batch, while another batch of its lane is under
way: a model server that answers at once would otherwise be asked about each picture by itself."""

STEP_ASIDE = 0.005
BATCH_ASIDE = 0.05
"""Seconds that a bulk picture waits at most, before it is taken in and before it is worked on, while somebody
waits for an answer: threads share one interpreter, and those that work on a backlog make each step of a
request wait its turn."""

LATELY = 0.25
"""Seconds after a request during which another is expected. Meanwhile a bulk source rests as long as it
works, so that a request finds few threads at work: nobody can step aside for it before it has been read."""
SHORTEST_REST = 0.001
LONGEST_REST = 0.005
"""Seconds that it rests at once, if at all, and for one picture."""

_LONG = 60.0


@dataclass(frozen=True, slots=True, eq=False)
class Waiting:
    """A delivery in the intake; `since` is monotonic."""

    delivery: Delivery
    lane: Lane
    since: float


class Intake:
    """The bounded queue between the sources and a model's workers.

    It takes nothing while it is closed: the model is away, or the daemon stops. Pictures that the gate
    refused pass it by, to `refused`.
    """

    def __init__(
        self,
        model: str,
        batcher: Batcher[Waiting],
        lane_credits: dict[Lane, Credits],
        refused: Callable[[Delivery, Rejected], None],
    ) -> None:
        self._batcher = batcher
        self._credits = lane_credits
        self._refused = refused
        self._lock = threading.Lock()
        self._bulk_work = threading.Condition(self._lock)
        self._interactive_work = threading.Condition(self._lock)
        self._interactive_idle = 0
        self._under_way = dict.fromkeys(Lane, 0)
        self._room = threading.Condition(self._lock)
        self._closed: str | None = "the model has not answered yet"
        self._stopped = False
        self._calm = threading.Condition(self._lock)
        self._asked = 0
        """Interactive pictures under way."""
        self._last_answered = -LATELY
        self._in_flight: dict[object, float] = {}
        for lane, held in lane_credits.items():
            metrics.intake_items.labels(model, lane).set_function(partial(getattr, held, "items"))
            metrics.intake_bytes.labels(model, lane).set_function(partial(getattr, held, "bytes"))

    def inlet(self, lane: Lane) -> "LaneInlet":
        """The lane, as a source sees it."""
        return LaneInlet(self, lane)

    @property
    def closed(self) -> str | None:
        return self._closed

    @property
    def in_flight(self) -> int:
        """Pictures that were offered and are not settled."""
        return len(self._in_flight)

    def oldest(self) -> float | None:
        """When the picture was offered that has been under way for longest (monotonic), or None."""
        with self._lock:
            return next(iter(self._in_flight.values()), None)

    def open(self) -> None:
        """The model answers: pictures are taken, and given to workers."""
        with self._lock:
            if not self._stopped:
                self._closed = None
                self._wake_all()
                self._room.notify_all()

    def close(self, reason: str) -> None:
        """The model is away. What waits in bulk is kept; somebody waits for the rest: it is handed back."""
        with self._lock:
            if not self._stopped:
                self._closed = reason
            interactive = self._batcher.clear(Lane.INTERACTIVE)
            self._room.notify_all()
        for waiting in interactive:
            waiting.delivery.settle(Settlement.retry(reason))

    def stop(self, reason: str) -> None:
        """The daemon stops: nothing is taken or handed out any more; what waits is offered again later."""
        self.close(reason)
        with self._lock:
            self._closed = reason
            self._stopped = True
            self._wake_all()
            self._room.notify_all()

    @property
    def expects_requests(self) -> bool:
        """Whether somebody waits for an answer, or did a moment ago."""
        return self._asked > 0 or time.monotonic() - self._last_answered < LATELY

    def step_aside(self) -> None:
        """Waits a few milliseconds at most while somebody waits for an answer."""
        with self._lock:
            if self._asked:
                self._calm.wait(STEP_ASIDE)

    def reserve(self, lane: Lane, size: int, timeout: float) -> bool:
        deadline = time.monotonic() + timeout
        with self._lock:
            while self._closed is not None or not self._credits[lane].take(size):
                remaining = deadline - time.monotonic()
                if remaining <= 0 or self._stopped:
                    return False
                self._room.wait(remaining)
            return True

    def release(self, lane: Lane, size: int) -> None:
        with self._lock:
            self._credits[lane].give_back(size)
            self._room.notify_all()

    def offer(self, lane: Lane, *deliveries: Delivery) -> None:
        since = time.monotonic()
        tracked = [self._tracked(lane, delivery) for delivery in deliveries]
        with self._lock:
            idle = self._batcher.first(lane) is None
            handed_back = self._closed if lane is Lane.INTERACTIVE else None
            for token, delivery in tracked:
                self._in_flight[token] = since
                self._asked += lane is Lane.INTERACTIVE
                if delivery.refusal is None and handed_back is None:
                    self._batcher.add(Waiting(delivery, lane, since), delivery.image.size_bytes, lane)
            if idle or self._batcher.full(lane):
                self._wake(lane)
        for _, delivery in tracked:
            if delivery.refusal is not None:
                self._refused(delivery, delivery.refusal)
            elif handed_back is not None:
                delivery.settle(Settlement.retry(handed_back))

    def take(self, lanes: Collection[Lane] = ALL_LANES) -> list[Waiting] | None:
        """Waits for the next batch of these lanes, to be told by `finished` when its end is known; None when
        the intake has stopped."""
        with self._lock:
            while not self._stopped:
                delays = {lane: self._delay(lane) for lane in lanes}
                if batch := self._batcher.take([lane for lane, delay in delays.items() if delay <= 0]):
                    self._under_way[batch[0].lane] += 1
                    self._pass_on()
                    return batch
                self._wait_for_work(lanes, min(delays.values()))
        return None

    def finished(self, batch: Collection[Waiting]) -> None:
        """A batch that was taken is answered, or put back."""
        with self._lock:
            self._under_way[next(iter(batch)).lane] -= 1

    def put_back(self, batch: Collection[Waiting]) -> None:
        """Returns what was taken and could not be answered, to the head of its lane.

        While the intake is closed, what somebody waits for is handed back instead."""
        with self._lock:
            closed = self._closed
            handed_back = [waiting for waiting in batch if closed and waiting.lane is Lane.INTERACTIVE]
            for waiting in reversed(list(batch)):
                if waiting not in handed_back:
                    size = waiting.delivery.image.size_bytes
                    self._batcher.put_back(waiting, size, waiting.lane)
            self._wake_all()
        for waiting in handed_back:
            waiting.delivery.settle(Settlement.retry(closed or ""))

    def try_alone(self, waiting: Waiting) -> None:
        """Queues what was taken at the end of its lane, as a batch of its own."""
        with self._lock:
            size = waiting.delivery.image.size_bytes
            self._batcher.add(waiting, size, waiting.lane, alone=True)
            self._wake_all()

    def limit_batch(self, max_items: int) -> None:
        """Batches hold no more than this from now on."""
        with self._lock:
            self._batcher.limit_items(max_items)

    def _delay(self, lane: Lane) -> float:
        """Seconds until the lane's next batch may be taken. It waits for others only behind another one, and
        in bulk for quiet."""
        first = self._batcher.first(lane)
        if first is None or self._closed is not None:
            return _LONG
        waits = 0.0
        if self._under_way[lane] and not self._batcher.full(lane):
            waits = LINGER
        if lane is Lane.BULK and self._asked:
            waits = max(waits, BATCH_ASIDE)
        return first.since + waits - time.monotonic() if waits else 0.0

    def _wait_for_work(self, lanes: Collection[Lane], seconds: float) -> None:
        if Lane.BULK in lanes:
            self._bulk_work.wait(seconds)
            return
        self._interactive_idle += 1
        self._interactive_work.wait(seconds)
        self._interactive_idle -= 1

    def _wake(self, lane: Lane) -> None:
        """Wakes one worker for a lane: to wake all for each picture would cost more than the picture."""
        if lane is Lane.INTERACTIVE and self._interactive_idle:
            self._interactive_work.notify()
        else:
            self._bulk_work.notify()

    def _pass_on(self) -> None:
        """Has another worker wait for what was left by the one that takes a batch."""
        for lane in Lane:
            if self._batcher.first(lane) is not None:
                self._wake(lane)

    def _wake_all(self) -> None:
        self._bulk_work.notify_all()
        self._interactive_work.notify_all()

    def _tracked(self, lane: Lane, delivery: Delivery) -> tuple[object, Delivery]:
        # A token stands for the delivery: one that knew itself would be a cycle and outlive its settling.
        token = object()
        settle = partial(self._settle, token, lane, delivery)
        reached(Point.PICTURE_QUEUED)
        return token, replace(delivery, settle=settle)

    def _settle(self, token: object, lane: Lane, delivery: Delivery, settlement: Settlement) -> None:
        with self._lock:
            del self._in_flight[token]  # a second call is a fault in the pipeline, and stops it
            if lane is Lane.INTERACTIVE:
                self._asked -= 1
                self._last_answered = time.monotonic()
                if not self._asked:
                    self._calm.notify_all()
                    self._wake(Lane.BULK)
        delivery.settle(settlement)


class LaneInlet:
    """One lane of an intake: what a source holds (`core.ports.Inlet`). A bulk source has one of its own."""

    def __init__(self, intake: Intake, lane: Lane) -> None:
        self._intake = intake
        self._lane = lane
        self._pace = Pace(SHORTEST_REST, LONGEST_REST)

    def reserve(self, size: int, timeout: float = 0.0) -> bool:
        if self._lane is not Lane.BULK:
            return self._intake.reserve(self._lane, size, timeout)
        if self._intake.expects_requests:
            self._intake.step_aside()  # which is rested from as well: without it too many threads are at work
            if rest := self._pace.rest(time.monotonic()):
                time.sleep(rest)
        reserved = self._intake.reserve(self._lane, size, timeout)
        self._pace.begin(time.monotonic())
        return reserved

    def release(self, size: int) -> None:
        self._intake.release(self._lane, size)

    def offer(self, *deliveries: Delivery) -> None:
        self._intake.offer(self._lane, *deliveries)

    @property
    def closed(self) -> str | None:
        return self._intake.closed
