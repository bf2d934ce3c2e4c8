"""A daemon that is fed through its inbox, and the oracle's verdict on what became of it."""

import itertools
from pathlib import Path

from verification.faults import evidence, oracle
from verification.faults.inputs import move_in
from verification.faults.oracle import Dropped, Inputs
from verification.kit.daemon import DaemonProcess
from verification.kit.pictures import jpeg

BOUND = 60.0

_numbers = itertools.count()


def picture() -> bytes:
    """A JPEG unlike any other of this run: a comment numbers it."""
    return jpeg("teal", comment=b"%d" % next(_numbers))


class Feeder:
    """Drops pictures into a daemon's inbox, and remembers them for the oracle."""

    def __init__(self, daemon: DaemonProcess) -> None:
        self.daemon = daemon
        self.dropped: list[Dropped] = []

    def drop(self, *names: str, data: bytes | None = None, good: bool = True) -> None:
        """Moves a picture of its own into the inbox under each of these paths."""
        for name in names:
            self.dropped.append(move_in(self.daemon.inbox, name, data or picture(), good))

    def note(self, name: str, content: bytes, good: bool = True) -> None:
        """A picture that the test brought into the inbox in its own way."""
        self.dropped.append(Dropped(name, evidence.sha256(content), good))

    @property
    def claims(self) -> list[Path]:
        """The claimed files."""
        return evidence.claims(self.daemon.inbox)

    def wait_until_claimed(self, count: int) -> None:
        """Waits until so many files are claimed."""
        self.daemon.wait_until(lambda: len(self.claims) == count, BOUND, f"holding {count} files")

    def wait_until_settled(self, bound: float = BOUND) -> None:
        """Waits until every picture has a row and has left the inbox."""
        self.daemon.wait_until(self._settled, bound, f"done with {len(self.dropped)} pictures")

    @property
    def recorded(self) -> int:
        """How many rows came from the inbox."""
        found = self.daemon.rows("SELECT count(*) AS n FROM results WHERE source = 'folder'")
        return int(found[0]["n"]) if found else 0

    @property
    def empty(self) -> bool:
        """Whether every picture has left the inbox."""
        return not any(evidence.paths(self.daemon.inbox))

    def _settled(self) -> bool:
        return self.recorded >= len(self.dropped) and self.empty

    def put_away(self) -> list[evidence.Found]:
        """What lies in `done`."""
        return evidence.files(self.daemon.done)

    def violations(self) -> list[str]:
        """What the oracle finds broken while nothing is under way."""
        inputs = Inputs(dropped=self.dropped)
        rows = evidence.rows(self.daemon.database)
        folders = evidence.folders(self.daemon.inbox, self.daemon.done, self.daemon.failed)
        return [*oracle.rows_at_rest(inputs, rows), *oracle.files_at_rest(inputs, rows, folders)]
