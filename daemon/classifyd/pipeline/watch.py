"""Notices when a model is away and when it is back: the breaker before its intake."""

import threading
from collections.abc import Callable

from classifyd.core.backoff import Backoff
from classifyd.core.errors import ConfigurationError, Unavailable
from classifyd.core.ports import Classifier, Part
from classifyd.core.values import ModelInfo
from classifyd.pipeline.intake import Intake
from classifyd.pipeline.trial import Trial

FIRST_PROBE = 0.25
LONGEST_PROBE = 30.0
LONGEST_RETRY_AFTER = 300.0
TICK = 1.0


class Watch:
    """A service. The intake is closed until the model has answered for the control picture, and again from
    `went_away` until it does so once more; probes are spaced by exponential backoff, which only a batch
    that was answered resets. While the model answers, it is asked for its state every `refresh` seconds,
    so that an outage is noticed without traffic, and `on_tick` is called about every second.
    `on_new_version` is called when another version answers than before. `remark` gives what else the part
    is to tell while it is up.
    """

    def __init__(
        self,
        model: str,
        classifier: Classifier,
        trial: Trial,
        intake: Intake,
        part: Part,
        refresh: float,
        on_tick: Callable[[], None],
        remark: Callable[[], str | None],
        on_new_version: Callable[[], None],
    ) -> None:
        self._model = model
        self._classifier = classifier
        self._trial = trial
        self._intake = intake
        self._part = part
        self._refresh = refresh
        self._on_tick = on_tick
        self._remark = remark
        self._on_new_version = on_new_version
        self._backoff = Backoff(FIRST_PROBE, LONGEST_PROBE)
        self._changed = threading.Condition()
        self._away = True
        self._answered = False
        self._retry_after = 0.0
        self._stopped = False
        self.info: ModelInfo | None = None

    @property
    def name(self) -> str:
        return f"{self._model}-watch"

    def run(self) -> None:
        """Raises ConfigurationError when the model's first answer does not fit the settings."""
        self._try_to_open()
        while not self._stopped:
            if self._away:
                if not self._stopped_within(self._backoff.next(at_least=self._retry_after)):
                    self._try_to_open()
            else:
                self._stay_open()

    def stop(self) -> None:
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def went_away(self, error: Unavailable | ConfigurationError) -> None:
        """The model did not answer: nothing is taken for it until it does."""
        with self._changed:
            self._away = True
            self._retry_after = min(LONGEST_RETRY_AFTER, getattr(error, "retry_after", None) or 0.0)
            if self._answered:
                self._answered = False
                self._backoff.reset()
            self._intake.close(f"model {self._model} is away: {error}")
            self._part.down(str(error))
            self._changed.notify_all()

    def answered(self) -> None:
        """A batch was answered whole."""
        self._answered = True

    def _try_to_open(self) -> None:
        with self._changed:
            self._away = False
        try:
            info = self._classifier.probe()
            self._trial.check()
        except Unavailable as error:
            self.went_away(error)
            return
        except ConfigurationError as error:
            if self.info is None:
                raise
            self.went_away(error)
            return
        with self._changed:
            if self._away:  # a worker met an outage while this probe was under way
                return
            self._note(info)
            self._intake.open()

    def _stay_open(self) -> None:
        for _ in range(max(1, round(self._refresh / TICK))):
            self._on_tick()
            with self._changed:
                if not self._away:
                    self._tell()
                if self._changed.wait_for(lambda: self._away or self._stopped, TICK):
                    return
        try:
            info = self._classifier.probe()
        except (Unavailable, ConfigurationError) as error:
            self.went_away(error)
            return
        with self._changed:
            if not self._away:
                self._note(info)

    def _note(self, info: ModelInfo) -> None:
        changed = self.info is not None and self.info.version != info.version
        self.info = info
        self._tell()
        if changed:
            self._on_new_version()

    def _tell(self) -> None:
        if self.info is not None:
            own = f"version {self.info.version}, {len(self.info.labels)} classes"
            remark = self._remark()
            self._part.up(f"{own}; {remark}" if remark else own)

    def _stopped_within(self, seconds: float) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: self._stopped, seconds)
