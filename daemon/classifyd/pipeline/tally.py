"""Counts outcomes, and tells of each: the figures of the live line and of the minute's summary."""

import threading

from classifyd.core.grouping import Grouping
from classifyd.core.values import Rejected, Result
from classifyd.telemetry import emit
from classifyd.telemetry.pipeline import PictureClassified, PictureRejected, RejectionsGrouped


class Tally:
    """Safe from any thread. `done` and `rejected` count new outcomes since the start; `settled` counts those
    of earlier deliveries too."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._grouping = Grouping()
        self.done = 0
        self.rejected = 0
        self.settled = 0

    def count(self, result: Result, *, new: bool) -> None:
        """Counts a settled result; one that an earlier delivery had recorded already is not `new`."""
        outcome, origin = result.outcome, result.origin
        with self._lock:
            self.settled += 1
            if new and not isinstance(outcome, Rejected):
                self.done += 1
        if not new:
            return
        if not isinstance(outcome, Rejected):
            emit(
                PictureClassified(
                    id=result.id,
                    origin=origin.key,
                    source=origin.source,
                    model=result.model,
                    label=outcome.best.label,
                    seconds=(result.classified_at - result.received_at).total_seconds(),
                )
            )
            return
        event = PictureRejected(
            id=result.id,
            origin=origin.key,
            source=origin.source,
            model=result.model,
            reason=outcome.reason,
            detail=outcome.detail,
        )
        with self._lock:
            self.rejected += 1
            named = self._grouping.admit(outcome.reason)
        if named:
            emit(event)
        else:
            event.measure()

    def close_minute(self) -> None:
        """Tells of the rejections that were not named one by one."""
        with self._lock:
            grouped = self._grouping.close()
        for reason, count in grouped.items():
            emit(RejectionsGrouped(reason=reason, count=count))
