"""What others do to the folders while the daemon is dead, and whether it is left alone afterwards."""

import os
import random
from collections.abc import Iterable
from pathlib import Path

from verification.faults import evidence
from verification.faults.evidence import CLAIMS, SIDECAR, Folders, Found, Row
from verification.faults.oracle import REJECTED


class Taker:
    """Takes places in `done` and `failed` that are promised to pictures."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._taken: dict[Path, bytes] = {}

    def take(self, rows: Iterable[Row]) -> None:
        """Puts a file of its own where a recorded picture, or the reason of its rejection, is to lie soon."""
        for row in rows:
            if row.source == "folder" and row.stored and not os.path.lexists(row.stored):
                self._take(row, row.stored)

    def _take(self, row: Row, place: Path) -> None:
        if row.status == REJECTED and self._chance.random() < 0.5:
            place = place.with_name(place.name + SIDECAR)
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            with place.open("xb") as file:
                content = f"somebody else's, of {row.id}".encode()
                file.write(content)
        except FileExistsError:
            return
        self._taken[place] = content

    def overwritten(self) -> list[str]:
        """Its files that are gone or changed."""
        return [
            f"{path}: somebody else's file was overwritten or removed"
            for path, content in self._taken.items()
            if not path.is_file() or path.read_bytes() != content
        ]

    def without(self, folders: Folders) -> Folders:
        """The folders less its own files."""
        return Folders(
            inbox=folders.inbox,
            done=self._others(folders.done),
            failed=self._others(folders.failed),
            sidecars=folders.sidecars - self._taken.keys(),
        )

    def _others(self, files: Iterable[Found]) -> list[Found]:
        return [file for file in files if file.path not in self._taken]


def bequeath(inbox: Path, database: Path, heir: str) -> None:
    """Makes what the dead daemon claimed look like the claims of another instance, `heir`, that died too."""
    instance = evidence.instance(database)
    if instance is None:
        return
    mine = inbox / CLAIMS / "claimed" / instance
    if mine.is_dir():
        mine.rename(mine.with_name(heir))
