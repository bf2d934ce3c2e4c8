"""The folder source: finds files, waits until they are whole, takes them, and has them settled."""

import os
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from classifyd.core.errors import ConfigurationError, StoreUnavailable
from classifyd.core.gate import Limits
from classifyd.core.names import encode_path
from classifyd.core.ports import Inlet, Ledger, Part
from classifyd.sources.folder.candidates import Candidates
from classifyd.sources.folder.config import FolderConfig
from classifyd.sources.folder.finding import ASK_AGAIN, Finder, all_of_them
from classifyd.sources.folder.health import Health
from classifyd.sources.folder.hints import Hints
from classifyd.sources.folder.inbox import Inbox, InboxUnusable
from classifyd.sources.folder.keeping import StillToDo
from classifyd.sources.folder.layout import Layout
from classifyd.sources.folder.mover import Mover
from classifyd.sources.folder.offering import Offerer
from classifyd.sources.folder.once import Once
from classifyd.sources.folder.people import current_user
from classifyd.sources.folder.readiness import Patience
from classifyd.sources.folder.settling import Settler
from classifyd.sources.folder.shelf import Shelf
from classifyd.sources.folder.taking import Taker
from classifyd.sources.folder.troubles import Troubles, remedy
from classifyd.sources.folder.underway import UnderWay
from classifyd.telemetry import folder as events
from classifyd.telemetry import metrics

CANDIDATES = 20_000
"""Files that are remembered at a time; the rest of a larger backlog is found by the next scan."""
TROUBLES = 10_000
"""Files in trouble that are remembered at a time; the rest is found again by a later scan. A single run
remembers all, to count them in the end."""
LOOK_AROUND = 1.0
"""Seconds between looks at whether the inbox is still there, locked and watched: nothing tells of that."""
NO_CREDIT_PAUSE = 0.02
"""Seconds between askings for credit that is refused at once (the daemon stops)."""
LAST_SETTLING = 30.0
"""Seconds that the lock outlives the source at most while the mover ends."""
TRIES_ONCE = 5
"""How often a single run tries to put a file away."""


class FolderSource:
    """A `core.ports.Source` over one inbox. `mover` is the service that carries its settlements out.

    `instance` is this daemon's ULID; `clock` tells the time in UTC. With `once`, `run` returns when a full
    scan found nothing more and all that was taken is settled.
    """

    def __init__(
        self,
        config: FolderConfig,
        inlet: Inlet,
        ledger: Ledger,
        instance: str,
        part: Part,
        limits: Limits,
        clock: Callable[[], datetime],
        once: bool,
    ) -> None:
        self._config = config
        self._instance = instance
        self._once = once
        self._health = Health(part)
        self._hints = Hints()
        self._said = Once()
        self._under_way = UnderWay(self._hints.wake)
        shelf = Shelf(config)
        self.mover = Mover(
            Settler(Layout(config.path), shelf, self._under_way),
            shelf,
            self._health,
            inlet.release,
            self._under_way,
            tries=TRIES_ONCE if once else None,
        )
        self._candidates = Candidates(Patience(config.settle_time, config.incomplete_timeout), CANDIDATES)
        unrecorded = all_of_them if config.claims else StillToDo(config.path, ledger, self._under_way)
        self._finder = Finder(config, self._hints, self._candidates, unrecorded, self._health)
        self._offerer = Offerer(
            config,
            self._candidates,
            Taker(limits, clock),
            inlet,
            ledger,
            self.mover,
            shelf,
            self._under_way,
            Troubles(limit=None if once else TROUBLES),
            clock,
        )
        self._ask_at = 0.0
        self._draining = False
        self._stopped = False

    @property
    def name(self) -> str:
        return "folder"

    @property
    def waiting(self) -> int:
        """Files seen and not yet claimed."""
        return len(self._candidates) + self._finder.beyond

    @property
    def unhandled(self) -> int:
        """Files that are not done with: all that are seen or claimed now, and those that could not be put
        away. When a single run has ended by itself, what is left could not be taken."""
        return self.waiting + self._offerer.held + len(self._under_way) + self._under_way.given_up

    def run(self) -> None:
        """Raises ConfigurationError where watching was asked for and is impossible; with `once`, also where
        the inbox cannot be used now."""
        while not self._ending():
            inbox = self._open()
            if inbox is None:
                self._hints.wait_until(self._ending, LOOK_AROUND)
                continue
            try:
                if self._work(inbox):
                    return
                if self._ending():
                    self._linger()
            finally:
                inbox.close()

    def drain(self) -> None:
        self._draining = True
        self._hints.wake()

    def stop(self) -> None:
        self._stopped = True
        self._hints.wake()

    def _ending(self) -> bool:
        return self._stopped or self._draining

    def _linger(self) -> None:
        """The lock keeps other daemons from the claims that the mover still settles."""
        while not self._stopped:
            self._hints.wait_until(lambda: self._stopped, LOOK_AROUND)
        self.mover.wait_until_ended(LAST_SETTLING)

    def _open(self) -> Inbox | None:
        try:
            inbox = Inbox.open(self._config, self._instance, self._hints, watch=not self._once)
            self._take_up(inbox)
        except InboxUnusable as error:
            if self._once:
                raise ConfigurationError(str(error)) from error
            self._health.ill("inbox", str(error))
            return None
        self._health.well("inbox")
        self._begin(inbox)
        return inbox

    def _take_up(self, inbox: Inbox) -> None:
        try:
            files = self._offerer.adopt(inbox.claims.left_behind())
        except OSError as error:
            inbox.close()
            raise InboxUnusable(
                f"cannot take up what was claimed in inbox {encode_path(self._config.path)}: "
                f"{os.strerror(error.errno or 0)}; {remedy(error)}"
            ) from error
        if files:
            events.emit(events.ClaimsTakenOver(instance=self._instance, files=files))

    def _begin(self, inbox: Inbox) -> None:
        self._say(inbox)
        watched = inbox.watcher is not None or self._once
        self._finder.begin(self._config.rescan_interval if watched else self._config.poll_interval)

    def _say(self, inbox: Inbox) -> None:
        path = encode_path(self._config.path)
        if inbox.polling is not None and self._said.first(inbox.polling):
            every = self._config.poll_interval
            events.emit(events.PollingInstead(inbox=path, reason=inbox.polling, every=every))
        if inbox.lockless is not None and self._said.first(inbox.lockless):
            events.emit(events.LocksUnavailable(inbox=path, reason=inbox.lockless))

    def _work(self, inbox: Inbox) -> bool:
        """Works until the inbox is to be opened again or the daemon stops (False), or all is done (True)."""
        look_at = 0.0
        while not self._ending():
            now = time.monotonic()
            if now >= look_at:
                look_at = now + LOOK_AROUND
                if not self._still_good(inbox):
                    return False
            self._finder.note()
            if not self._scan(inbox):
                return False
            self._sort_adopted()
            self._offerer.take_back()
            credit = self._offerer.offer(inbox.claims)
            self._finder.refill()
            metrics.inbox_waiting.set(self.waiting)
            if self._once and self._finished():
                return True
            self._pause(look_at, credit)
        return False

    def _still_good(self, inbox: Inbox) -> bool:
        if inbox.broken:
            return False
        if inbox.unwatched:
            try:
                inbox.watch_again(self._hints)
            except InboxUnusable:  # opening it again tells why
                return False
            self._begin(inbox)
        return True

    def _scan(self, inbox: Inbox) -> bool:
        try:
            full = self._finder.scan()
        except OSError:  # the next look around tells why
            return False
        if full and self._config.claims:
            for instance, files in inbox.claims.take_over(self._unable).items():
                self._offerer.adopt(files)
                events.emit(events.ClaimsTakenOver(instance=instance, files=len(files)))
        return True

    def _unable(self, claims: Path, error: OSError) -> None:
        if self._said.first(("claims", claims)):
            events.emit(
                events.ClaimsOutOfReach(
                    path=encode_path(claims),
                    reason=os.strerror(error.errno or 0),
                    remedy=f"let user {current_user()} write in it and in the folders below (chown, chmod, "
                    "a common group), or start the daemon that claimed them again",
                )
            )

    def _sort_adopted(self) -> None:
        if time.monotonic() < self._ask_at:
            return
        try:
            self._offerer.sort_adopted()
            self._health.well("claims")
        except StoreUnavailable as error:
            self._ask_at = time.monotonic() + ASK_AGAIN
            self._health.ill("claims", f"cannot tell which claimed files are recorded: {error}")

    def _finished(self) -> bool:
        if not self._offerer.idle:
            return False
        if not self._finder.quiet:
            self._finder.everything()
        return self._finder.quiet

    def _pause(self, look_at: float, credit: bool) -> None:
        due = min(look_at, self._finder.due(), self._offerer.next_due())
        self._hints.wait(max(0.0, due - time.monotonic()) if credit else NO_CREDIT_PAUSE)
