"""Claimed files that are to be offered again, once it is known that they are not recorded already."""

from collections.abc import Iterable
from itertools import islice

from classifyd.core.ports import Ledger
from classifyd.core.values import Result
from classifyd.sources.folder.claims import Taken

KEYS_PER_QUESTION = 500


class Held:
    """Files by key. Used by the source's thread only."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._unsure: dict[str, Taken] = {}
        self._files: dict[str, Taken] = {}

    def __len__(self) -> int:
        return len(self._unsure) + len(self._files)

    def __contains__(self, key: object) -> bool:
        return key in self._unsure or key in self._files

    def __getitem__(self, key: str) -> Taken:
        return self._files[key]

    @property
    def unsure(self) -> bool:
        """Whether there are files of which nobody knows yet whether they are recorded."""
        return bool(self._unsure)

    def keep(self, taken: Taken) -> None:
        """A file that is known not to be recorded."""
        self._files[taken.key] = taken

    def adopt(self, files: Iterable[Taken]) -> None:
        """Files of an earlier life or another instance: perhaps recorded already."""
        self._unsure.update((taken.key, taken) for taken in files)

    def drop(self, key: str) -> None:
        """It is under way, or gone."""
        self._files.pop(key, None)

    def sort(self) -> tuple[list[tuple[Taken, Result]], list[Taken]]:
        """Asks the ledger for some of the adopted: those that only need settling, and those to be offered
        (which are kept). Nothing in either when none is left.

        Raises StoreUnavailable: ask again later.
        """
        keys = list(islice(self._unsure, KEYS_PER_QUESTION))
        known = self._ledger.known(keys) if keys else {}
        files = [self._unsure.pop(key) for key in keys]
        fresh = [taken for taken in files if taken.key not in known]
        self._files.update((taken.key, taken) for taken in fresh)
        return [(taken, known[taken.key]) for taken in files if taken.key in known], fresh
