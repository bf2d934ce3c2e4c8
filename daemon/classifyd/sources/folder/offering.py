"""Offering: what is due is taken under a credit and handed to the intake."""

import errno
import time
from collections.abc import Callable, Iterable
from datetime import datetime
from functools import partial

from classifyd.core.names import encode_path
from classifyd.core.ports import Inlet, Ledger
from classifyd.core.values import Delivery, Settlement
from classifyd.sources.folder.candidates import Candidates
from classifyd.sources.folder.claims import Claims, Taken, found_at, kept
from classifyd.sources.folder.config import FolderConfig
from classifyd.sources.folder.files import FileChanged, Fingerprint, glance
from classifyd.sources.folder.held import Held
from classifyd.sources.folder.mover import Mover
from classifyd.sources.folder.readiness import Patience, Readiness
from classifyd.sources.folder.shelf import Shelf
from classifyd.sources.folder.taking import ChangedInClaim, StillIncomplete, Taker
from classifyd.sources.folder.troubles import LONGEST_DELAY, Troubles
from classifyd.sources.folder.underway import UnderWay
from classifyd.telemetry import folder as events

TURN = 0.25
"""Seconds that one look at the due files may take before hints are heard again."""
CREDIT_WAIT = 0.25
"""Seconds to wait for credit before hints are heard again."""
BURST = 32
"""Pictures that are offered together: each by itself would wake a worker, who asked about it alone."""
BURST_TIME = 0.01
"""Seconds that the first picture of a burst waits for the others at most, but for the reading of one."""

Claim = Callable[[Fingerprint], Taken]


class Offerer:
    """Takes files of the inbox, and claimed ones that are held, and offers them. For the source's thread."""

    def __init__(
        self,
        config: FolderConfig,
        candidates: Candidates,
        taker: Taker,
        inlet: Inlet,
        ledger: Ledger,
        mover: Mover,
        shelf: Shelf,
        under_way: UnderWay,
        troubles: Troubles,
        clock: Callable[[], datetime],
    ) -> None:
        self._config = config
        self._inbox = str(config.path)
        self._patience = Patience(config.settle_time, config.incomplete_timeout)
        self._candidates = candidates
        self._taker = taker
        self._inlet = inlet
        self._mover = mover
        self._shelf = shelf
        self._under_way = under_way
        self.troubles = troubles
        self._clock = clock
        self._held = Held(ledger)
        self._again = Candidates(self._patience, limit=0)
        self._burst: list[Delivery] = []
        self._burst_due = 0.0

    @property
    def held(self) -> int:
        """Claimed files that are to be offered again."""
        return len(self._held)

    @property
    def idle(self) -> bool:
        """Whether nothing is under way or becoming ready; what is in trouble does not count."""
        pending = len(self._candidates) + self.held - len(self.troubles)
        return pending <= 0 and not self._under_way

    def next_due(self) -> float:
        """When the next file may be tried (monotonic)."""
        moments = (self._candidates.next_due(), self._again.next_due())
        return min((moment for moment in moments if moment is not None), default=float("inf"))

    def adopt(self, files: Iterable[Taken]) -> int:
        """Claimed files of an earlier life or another instance; returns how many are new here."""
        under_way = self._under_way.keys()
        new = [taken for taken in files if taken.key not in under_way and taken.key not in self._held]
        self._held.adopt(new)
        return len(new)

    def sort_adopted(self) -> None:
        """Has those settled that are recorded already, and holds the others. Raises StoreUnavailable."""
        while self._held.unsure:
            recorded, fresh = self._held.sort()
            for taken, result in recorded:
                self._under_way.begin(taken)
                self._mover.post(taken, Settlement.of(result))
            for taken in fresh:
                self._hold(taken, closed=True)

    def take_back(self) -> None:
        """Holds what the pipeline handed back until it is due again."""
        for taken, delay in self._under_way.take_back():
            until = time.monotonic() + delay
            if taken.claimed:
                if self._hold(taken, closed=True):
                    self._again.postpone(taken.key, until)
            elif (seen := glance(taken.path)) is not None:
                self._candidates.saw(taken.relative, seen, time.monotonic())
                self._candidates.postpone(taken.relative, until)

    def offer(self, claims: Claims) -> bool:
        """Offers what is due, held files first; returns False when there was no credit for it."""
        until = time.monotonic() + TURN
        credit = self._offer_held(until) and self._offer_found(claims, until)
        self._hand_over()
        return credit

    def _offer_held(self, until: float) -> bool:
        for key, readiness in self._again.due(time.monotonic()):
            taken = self._held[key]
            if not self._try(self._again, key, taken, readiness, partial(_claimed_already, taken)):
                return False
            if time.monotonic() >= until:
                break
        return True

    def _offer_found(self, claims: Claims, until: float) -> bool:
        for relative, readiness in self._candidates.due(time.monotonic()):
            found = found_at(self._inbox, relative)
            claim = partial(self._claim, claims, relative)
            if not self._try(self._candidates, relative, found, readiness, claim):
                return False
            if time.monotonic() >= until:
                break
        return True

    def _claim(self, claims: Claims, relative: str, seen: Fingerprint) -> Taken:
        return claims.claim(relative) if self._config.claims else kept(self._inbox, relative, seen)

    def _try(self, queue: Candidates, key: str, file: Taken, readiness: Readiness, claim: Claim) -> bool:
        """One file that is due; returns False when there was no credit for it."""
        credit = self._taker.credit(readiness.seen)
        if not self._reserve(credit):
            queue.retry(key)
            return False
        if not self._take(queue, key, file, readiness, claim, credit):
            self._inlet.release(credit)
        return True

    def _reserve(self, credit: int) -> bool:
        if self._inlet.reserve(credit):
            return True
        self._hand_over()  # its credits may be those that are waited for
        return self._inlet.reserve(credit, CREDIT_WAIT)

    def _take(
        self, queue: Candidates, key: str, file: Taken, readiness: Readiness, claim: Claim, credit: int
    ) -> bool:
        """Returns whether the file was offered; if not, the queue knows when to try again."""
        seen = readiness.seen
        try:
            condemnable = partial(self._condemnable, file, readiness)
            picture = self._taker.take(file.path, seen, condemnable, partial(claim, seen))
        except FileChanged:
            self._changed(queue, key, file)
        except StillIncomplete:
            queue.found_incomplete(key)
        except ChangedInClaim as changed:
            self._forget(queue, key)
            self._hold(changed.taken, closed=False)
        except (FileNotFoundError, NotADirectoryError):
            self._gone(queue, key, file)
        except OSError as error:
            self._trouble(queue, key, file, error)
        else:
            self._forget(queue, key)
            taken = picture.taken
            self._under_way.begin(taken)
            self._add(
                Delivery(
                    image=picture.image,
                    settle=partial(self._mover.post, taken, credit=credit),
                    refusal=picture.refusal,
                    place=partial(self._shelf.promise, taken),
                )
            )
            return True
        return False

    def _add(self, delivery: Delivery) -> None:
        now = time.monotonic()
        if not self._burst:
            self._burst_due = now + BURST_TIME
        self._burst.append(delivery)
        if len(self._burst) >= BURST or now >= self._burst_due:
            self._hand_over()

    def _hand_over(self) -> None:
        burst, self._burst = self._burst, []
        if burst:
            self._inlet.offer(*burst)

    def _condemnable(self, file: Taken, readiness: Readiness) -> bool:
        """Whether a missing end will not come any more. A claimed file had stood still before it was claimed,
        so that its age counts too."""
        age = self._clock().timestamp() - readiness.seen.mtime_ns / 1e9
        aged = file.claimed and age >= self._patience.incomplete_timeout
        return aged or readiness.condemnable(time.monotonic(), self._patience)

    def _hold(self, taken: Taken, closed: bool) -> bool:
        """Keeps a claimed file until it is due; returns whether it is still there."""
        seen = glance(taken.path)
        if seen is None:
            self._gone(self._again, taken.key, taken)
            return False
        self._held.keep(taken)
        self._again.saw(taken.key, seen, time.monotonic(), closed)
        return True

    def _changed(self, queue: Candidates, key: str, file: Taken) -> None:
        seen = glance(file.path)
        if seen is None:
            self._gone(queue, key, file)
            return
        queue.saw(key, seen, time.monotonic())
        queue.postpone(key, time.monotonic() + self._patience.settle_time)

    def _gone(self, queue: Candidates, key: str, file: Taken) -> None:
        self._forget(queue, key)
        if file.claimed:
            events.emit(events.ClaimVanished(origin=file.key, path=encode_path(file.path)))

    def _trouble(self, queue: Candidates, key: str, file: Taken, error: OSError) -> None:
        delay = None if error.errno == errno.ELOOP else self.troubles.failed(key, file.path, error)
        if delay is None and file.claimed:  # no scan would find it again
            delay = LONGEST_DELAY
        if delay is None:
            self._forget(queue, key)
        else:
            queue.postpone(key, time.monotonic() + delay)

    def _forget(self, queue: Candidates, key: str) -> None:
        queue.drop(key)
        self._held.drop(key)
        self.troubles.over(key)


def _claimed_already(taken: Taken, _seen: Fingerprint) -> Taken:
    return taken
