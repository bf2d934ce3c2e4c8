"""Keep mode: the files stay in the inbox, and the database tells which of them are done with."""

from pathlib import Path

from classifyd.core.ports import Ledger
from classifyd.sources.folder.claims import kept
from classifyd.sources.folder.finding import Sighting
from classifyd.sources.folder.underway import UnderWay


class StillToDo:
    """Picks the sightings that are neither recorded nor under way."""

    def __init__(self, inbox: Path, ledger: Ledger, under_way: UnderWay) -> None:
        self._inbox = str(inbox)
        self._ledger = ledger
        self._under_way = under_way

    def __call__(self, sightings: list[Sighting]) -> list[Sighting]:
        """Raises StoreUnavailable."""
        keys = [kept(self._inbox, sighting.relative, sighting.seen).key for sighting in sightings]
        known = self._ledger.known(keys)
        return [
            sighting
            for key, sighting in zip(keys, sightings, strict=True)
            if key not in known and key not in self._under_way
        ]
