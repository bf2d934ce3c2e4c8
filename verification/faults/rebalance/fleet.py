"""Several daemons in one consumer group and on one shared inbox, each with a database of its own."""

import random
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from verification.faults import evidence
from verification.faults.evidence import Folders
from verification.faults.rebalance.copies import Cause, Copy, End
from verification.kit.daemon import START_BOUND, DaemonProcess

LOOK_EVERY = 0.05


@dataclass(slots=True)
class Member:
    """One daemon and what was done to it. `wrong` are sentences about ends that nobody asked for."""

    daemon: DaemonProcess
    up: bool = False
    frozen: bool = False
    freezes: int = 0
    ends: list[End] = field(default_factory=list)
    starts: int = 0
    wrong: list[str] = field(default_factory=list)

    def launch(self) -> None:
        """Starts it and does not wait."""
        self.daemon.launch()
        self.up = True
        self.starts += 1

    def freeze(self) -> None:
        """SIGSTOP: the others take it for dead after a while, and it knows nothing of that."""
        self.daemon.signal(signal.SIGSTOP)
        self.frozen = True
        self.freezes += 1

    def thaw(self) -> None:
        """SIGCONT."""
        self.daemon.signal(signal.SIGCONT)
        self.frozen = False

    def kill(self) -> None:
        """SIGKILL."""
        self._end("killed", self.daemon.kill)

    def stop(self) -> None:
        """SIGTERM, once it can be heard; the daemon must end with 0."""
        self.daemon.wait_until(lambda: self.daemon.get("/healthz")[0] == 200, START_BOUND, "serving")
        self._end("stopped", self._terminate)

    @property
    def instance(self) -> str | None:
        """The name it gave itself; None where it was killed before."""
        return evidence.instance(self.daemon.database)

    def _terminate(self) -> None:
        self.daemon.signal(signal.SIGTERM)
        code = self.daemon.wait()
        if code != 0:
            self.wrong.append(
                f"{self.daemon.folder.name}: SIGTERM ended it with {code}\n{self.daemon.tail()}"
            )

    def _end(self, cause: Cause, end: Callable[[], None]) -> None:
        began = _now()
        end()
        self.up = self.frozen = False
        instance = self.instance
        if instance is not None:
            self.ends.append(End(instance, cause, began, _now()))


class Fleet:
    """The members, their common inbox, and the folders that all of them put pictures into."""

    def __init__(self, folder: Path, members: int, settings: Mapping[str, str]) -> None:
        self.inbox, self.done, self.failed = (folder / name for name in ("inbox", "done", "failed"))
        self.inbox.mkdir(parents=True)
        shared = {
            "CLASSIFYD_INBOX__PATH": str(self.inbox),
            "CLASSIFYD_INBOX__DONE": str(self.done),
            "CLASSIFYD_INBOX__FAILED": str(self.failed),
        }
        self.members = [
            Member(DaemonProcess(folder / f"daemon-{number + 1}", {**shared, **settings}))
            for number in range(members)
        ]

    def disturb(self, dice: random.Random) -> None:
        """Does something to one of them: starts, stops or freezes it, or kills it and perhaps starts it at
        once."""
        idle = [not one.up or one.frozen for one in self.members]
        member = dice.choices(self.members, weights=[2 if one else 1 for one in idle])[0]
        if not member.up:
            member.launch()
        elif member.frozen and dice.random() < 0.7:
            member.thaw()
        elif not member.frozen and dice.random() < 0.3:
            member.stop()
        elif not member.frozen and dice.random() < 0.3:
            member.freeze()
        else:
            member.kill()
            if dice.random() < 0.5:
                member.launch()

    def have_all_work(self) -> None:
        """Starts those that are down, and thaws the frozen."""
        for member in self.members:
            if not member.up:
                member.launch()
            elif member.frozen:
                member.thaw()

    def stop_all(self) -> None:
        """SIGTERM, one after the other."""
        for member in self.members:
            if member.up:
                member.stop()

    def kill_all(self) -> None:
        """Ends what still runs."""
        for member in self.members:
            if member.up:
                member.kill()

    def count(self) -> int:
        """The rows of all databases together."""
        return sum(member.daemon.count() for member in self.members)

    def wait_for_rows(self, count: int, bound: float) -> bool:
        """Waits for so many rows in all databases, `bound` seconds at most."""
        return self.wait_until(lambda: self.count() >= count, bound)

    def wait_until(self, condition: Callable[[], bool], bound: float) -> bool:
        """Waits `bound` seconds at most; returns whether the condition came true."""
        deadline = time.monotonic() + bound
        while not condition():
            if time.monotonic() > deadline:
                return False
            time.sleep(LOOK_EVERY)
        return True

    @property
    def folders(self) -> Folders:
        """What lies in the common folders; while no daemon runs."""
        found = evidence.folders(self.inbox, self.done, self.failed)
        inbox = [file for file in found.inbox if not file.path.name.startswith(evidence.TRIAL)]
        return replace(found, inbox=inbox)

    @property
    def ends(self) -> list[End]:
        return [end for member in self.members for end in member.ends]

    @property
    def copies(self) -> list[Copy]:
        """The rows of all databases, oldest first."""
        found = [
            Copy(instance, row)
            for member in self.members
            if (instance := member.instance) is not None
            for row in evidence.rows(member.daemon.database)
        ]
        return sorted(found, key=lambda copy: copy.received)


def _now() -> int:
    return time.time_ns() // 1_000_000
