"""A model at work: its workers ask it about batches and pass on what they find."""

import threading
import time
from collections.abc import Callable, Sequence

from classifyd.core.batching import ALL_LANES
from classifyd.core.errors import ClassifierError, Unavailable
from classifyd.core.ports import Classifier, Part, Service
from classifyd.core.suspects import Suspects
from classifyd.core.values import Delivery, Lane, ModelInfo, Outcome, Reason, Rejected, Settlement
from classifyd.crashpoints import Point, reached
from classifyd.pipeline.intake import Intake, LaneInlet, Waiting
from classifyd.pipeline.loop import Loop
from classifyd.pipeline.trial import Trial, Verdict
from classifyd.pipeline.watch import Watch
from classifyd.telemetry import emit, metrics
from classifyd.telemetry.pipeline import BatchLowered, PictureSetAside, PictureSuspected

_QUEUED = metrics.stage_duration.labels("queue")
_CLASSIFIED = metrics.stage_duration.labels("classify")

INTERACTIVE_ONLY = frozenset({Lane.INTERACTIVE})


class Model:
    """A configured model (`core.ports.Model`).

    `record(delivery, outcome)` takes what was found. `workers` are `concurrency` loops over both lanes and
    one over the interactive lane alone, so that a request does not wait for a bulk batch to end. `watch` is
    the loop that finds out when the model is away and when it is back.
    """

    def __init__(
        self,
        classifier: Classifier,
        engine: str,
        intake: Intake,
        record: Callable[[Delivery, Outcome], None],
        part: Part,
        concurrency: int,
        max_batch: int,
        refresh: float,
    ) -> None:
        self._classifier = classifier
        self._engine = engine
        self._intake = intake
        self._record = record
        self._configured_batch = max_batch
        self._max_batch = max_batch
        self._ramp = max_batch
        self._lock = threading.Lock()
        self._suspects: Suspects[Waiting] = Suspects()
        metrics.suspects.labels(classifier.name).set_function(lambda: len(self._suspects))
        self._trial = Trial(classifier, self._lower_batch)
        self.watch = Watch(
            self.name,
            classifier,
            self._trial,
            intake,
            part,
            refresh,
            on_tick=self._offer_suspects,
            remark=self._remark,
            on_new_version=self._restore_batch,
        )
        both = [
            Loop(f"{self.name}-worker-{number + 1}", lambda: self._work(ALL_LANES), self.stop)
            for number in range(concurrency)
        ]
        interactive = Loop(f"{self.name}-interactive", lambda: self._work(INTERACTIVE_ONLY), self.stop)
        self.workers: Sequence[Service] = [*both, interactive]

    @property
    def name(self) -> str:
        return self._classifier.name

    @property
    def engine(self) -> str:
        return self._engine

    @property
    def intake(self) -> Intake:
        return self._intake

    @property
    def inlet(self) -> LaneInlet:
        return self._intake.inlet(Lane.INTERACTIVE)

    @property
    def info(self) -> ModelInfo | None:
        return self.watch.info

    @property
    def away(self) -> str | None:
        return self._intake.closed

    def stop(self) -> None:
        """Workers finish the batch they hold; nothing more is taken."""
        self._intake.stop("the daemon is stopping")
        self.watch.stop()

    def close(self) -> None:
        """Gives the classifier's resources back; after the workers have ended."""
        self._classifier.close()

    def _work(self, lanes: frozenset[Lane]) -> None:
        while (batch := self._intake.take(lanes)) is not None:
            reached(Point.BATCH_TAKEN)
            started = time.monotonic()
            for waiting in batch:
                _QUEUED.observe(started - waiting.since)
            self._classify(batch)
            self._intake.finished(batch)
            _CLASSIFIED.observe(time.monotonic() - started)

    def _classify(self, batch: list[Waiting]) -> None:
        unanswered = dict(enumerate(batch))
        try:
            for index, verdict in self._trial.verdicts([waiting.delivery.image for waiting in batch]):
                self._conclude(unanswered.pop(index), verdict)
        except Unavailable as error:
            self._limit_batch(1)
            self.watch.went_away(error)
            if len(batch) == 1 and batch[0].lane is Lane.BULK:
                # Perhaps this very picture takes the model down: others go first when it is back.
                key = batch[0].delivery.image.origin.key
                with self._lock:
                    self._suspects.unanswered(key, batch[0], time.monotonic())
                emit(PictureSetAside(model=self.name, origin=key, detail=str(error)))
            else:
                self._intake.put_back(list(unanswered.values()))
        else:
            self.watch.answered()
            if self._ramp < self._max_batch:
                self._limit_batch(min(self._max_batch, self._ramp * 2))

    def _conclude(self, waiting: Waiting, verdict: Verdict) -> None:
        reached(Point.PICTURE_CLASSIFIED)
        if isinstance(verdict, ClassifierError):
            self._postpone(waiting, verdict)
            return
        with self._lock:
            self._suspects.cleared(waiting.delivery.image.origin.key)
        self._record(waiting.delivery, verdict)

    def _postpone(self, waiting: Waiting, error: ClassifierError) -> None:
        """The model fails on this picture alone: it waits, and lets others pass."""
        if waiting.lane is Lane.INTERACTIVE:
            waiting.delivery.settle(Settlement.retry(f"the model failed on this picture: {error}"))
            return
        key = waiting.delivery.image.origin.key
        now = time.monotonic()
        condemned = False
        with self._lock:
            if isinstance(error, Unavailable):
                self._suspects.unanswered(key, waiting, now)
            else:
                condemned = self._suspects.failed(key, waiting, now)
        if condemned:
            detail = f"the model failed on this picture alone, again and again over an hour: {error}"
            self._record(waiting.delivery, Rejected(Reason.MODEL_FAILED, detail))
        else:
            emit(PictureSuspected(model=self.name, origin=key, detail=str(error)))

    def _remark(self) -> str | None:
        """How many pictures are set aside: a model that is up says so of itself."""
        with self._lock:
            count = len(self._suspects)
        return f"pictures set aside and tried again: {count} (see the log)" if count else None

    def _offer_suspects(self) -> None:
        with self._lock:
            due = self._suspects.take_due(time.monotonic())
        for waiting in due:
            self._intake.try_alone(waiting)

    def _lower_batch(self, max_items: int) -> None:
        emit(BatchLowered(model=self.name, max_batch=max_items))
        self._max_batch = max_items
        self._limit_batch(max_items)

    def _restore_batch(self) -> None:
        """Another version may accept what the last one refused."""
        self._max_batch = self._configured_batch
        self._limit_batch(self._max_batch)

    def _limit_batch(self, max_items: int) -> None:
        """After an outage batches start at one and double: an overloaded model is not hit by full ones, and
        a picture that it never answers for is found alone."""
        self._ramp = max_items
        self._intake.limit_batch(max_items)
