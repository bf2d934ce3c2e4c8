"""Finding files: hints and scans become candidates."""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice

from classifyd.core.errors import StoreUnavailable
from classifyd.core.names import encode_path
from classifyd.sources.folder.candidates import Candidates
from classifyd.sources.folder.config import FolderConfig
from classifyd.sources.folder.files import Fingerprint, look
from classifyd.sources.folder.health import Health
from classifyd.sources.folder.hints import Hints
from classifyd.sources.folder.rounds import Rounds
from classifyd.sources.folder.surveyor import Surveyor
from classifyd.telemetry import folder as events

ASK_AGAIN = 2.0
"""Seconds until the database is asked again after it could not answer."""
_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Sighting:
    """A picture that was seen in the inbox."""

    relative: str
    seen: Fingerprint


Unrecorded = Callable[[list[Sighting]], list[Sighting]]


def all_of_them(sightings: list[Sighting]) -> list[Sighting]:
    """The `Unrecorded` of an inbox whose files leave it when they are recorded."""
    return sightings


class Finder:
    """Fills `candidates`. `unrecorded` picks those of some sightings that are still to be classified; it may
    raise StoreUnavailable."""

    def __init__(
        self,
        config: FolderConfig,
        hints: Hints,
        candidates: Candidates,
        unrecorded: Unrecorded,
        health: Health,
    ) -> None:
        self._config = config
        self._inbox = str(config.path)
        self._hints = hints
        self._candidates = candidates
        self._unrecorded = unrecorded
        self._health = health
        self._surveyor = Surveyor(config)
        self._rounds = Rounds(config.rescan_interval)
        self._dirty: dict[str, bool] = {}
        self._seen: list[Sighting] = []
        self._found = 0
        self._unsure = False
        self.beyond = 0
        """Pictures that there was no room for: as many as the last full scan left out, or more."""
        self.quiet = False
        """Whether the last full scan found nothing new."""

    def begin(self, interval: float) -> None:
        """The inbox is there: everything is to be scanned, and again every `interval` seconds."""
        self._hints.take()
        self._dirty.clear()
        self._rounds = Rounds(interval)
        self.quiet = False

    def everything(self) -> None:
        """Asks for a full scan."""
        self._rounds.everything()

    def due(self) -> float:
        """When the next scan is to start (monotonic)."""
        return self._rounds.due()

    def note(self) -> None:
        """Takes what the watcher dropped."""
        noted = self._hints.take()
        if noted.missed:
            events.emit(events.EventsLost(inbox=encode_path(self._config.path)))
            self._rounds.everything()
        for folder, deep in noted.folders.items():
            self._dirty[folder] = self._dirty.get(folder, False) or deep
            self._rounds.some()
        closed = filter(None, map(self._surveyor.relative, noted.closed))
        while batch := list(islice(closed, _AT_ONCE)):
            for relative in batch:
                self._look(relative)
            self._admit(closed=True)
        if self._unsure:
            self._rounds.everything(time.monotonic() + ASK_AGAIN)

    def scan(self) -> bool:
        """Scans if a scan is due; returns whether it was a full one. Raises OSError when the inbox cannot
        be listed."""
        began = time.monotonic()
        if began < self._rounds.due():
            return False
        full = self._rounds.full(began)
        self._found = 0
        self._unsure = False
        folders, self._dirty = self._dirty, {}
        if full:
            self.beyond = self._surveyor.everything(self._candidates, self._see)
        else:
            # Most of what these folders hold beyond the room was counted by the full scan already.
            self.beyond = max(self.beyond, self._surveyor.some(folders, self._candidates, self._see))
        self._admit()
        ended = time.monotonic()
        self._rounds.scanned(full, began, ended)
        if self._unsure:
            self._rounds.everything(ended + ASK_AGAIN)
        elif full:
            self._health.well("ledger")  # nothing waits for its answer any more
        self.quiet = full and not self._found and not self.beyond
        return full

    def refill(self) -> None:
        """Asks for a scan when there is room again for what was left out."""
        if self.beyond and self._candidates.roomy:
            self._rounds.everything()

    def _look(self, relative: str) -> None:
        if self._candidates.full and relative not in self._candidates:
            self.beyond = max(self.beyond, 1)  # the scan of its folder counts it
        else:
            with suppress(OSError):  # a hint only: the scan finds the file, and tells what is wrong with it
                if (seen := look(f"{self._inbox}/{relative}")) is not None:
                    self._seen.append(Sighting(relative, seen))

    def _see(self, relative: str, seen: Fingerprint) -> None:
        self._seen.append(Sighting(relative, seen))
        if len(self._seen) >= _AT_ONCE:
            self._admit()

    def _admit(self, closed: bool = False) -> None:
        sightings, self._seen = self._seen, []
        try:
            wanted = self._unrecorded(sightings) if sightings else []
        except StoreUnavailable as error:
            self._health.ill("ledger", f"cannot tell which files are recorded: {error}")
            self._unsure = True
            self._found += len(sightings)
            return
        at = time.monotonic()
        self._found += len(wanted)
        for sighting in wanted:
            self._candidates.saw(sighting.relative, sighting.seen, at, closed)
