"""The health of the folder source, made of what each of its threads says."""

import threading

from classifyd.core.ports import Part


class Health:
    """One part with several reasons to be down. Safe from any thread."""

    def __init__(self, part: Part) -> None:
        self._part = part
        self._lock = threading.Lock()
        self._reasons: dict[str, str] = {}
        self._told = False

    def well(self, subject: str) -> None:
        """This subject is no reason (any more)."""
        with self._lock:
            if self._reasons.pop(subject, None) is not None or not self._told:
                self._tell()

    def ill(self, subject: str, reason: str) -> None:
        """This subject does not work now: `reason` says what and what to do."""
        with self._lock:
            if self._reasons.get(subject) != reason:
                self._reasons[subject] = reason
                self._tell()

    def _tell(self) -> None:
        self._told = True
        if self._reasons:
            self._part.down("; ".join(self._reasons.values()))
        else:
            self._part.up()
