"""A world: a folder, a database and topics of their own, and a daemon that dies in it again and again."""

import random
import shutil
import signal
import time
from collections import Counter
from pathlib import Path
from types import TracebackType
from typing import Self

from verification.faults import evidence, oracle
from verification.faults.crash.feeding import Feeder
from verification.faults.crash.meddling import Taker, bequeath
from verification.faults.crash.pictures import MAX_BYTES, MAX_PIXELS
from verification.faults.crash.plan import PARTITIONS, Life, Plan, Round
from verification.faults.crash.site import Site
from verification.faults.crash.zygote import Zygote
from verification.faults.evidence import TRIAL, Folders, TopicReader
from verification.faults.oracle import Inputs

BOUND = 180.0
"""Seconds until everything must be worked off, or a life must have ended."""
_LOOK = 0.02
_EMPTY = evidence.sha256(b"")
_STARTED = b'"event": "started"'
_DEAD_LETTER_BYTES = 4096
"""The dead-letter topic takes less than the input topic, so that some letters go without their value."""


class Violated(Exception):
    """A promise was broken; the sentences say which."""

    def __init__(self, sentences: list[str]) -> None:
        super().__init__("\n".join(sentences))


class World:
    """One world; `name` is unique at its broker."""

    def __init__(self, plan: Plan, name: str, site: Site, zygote: Zygote) -> None:
        self.variant = plan.variant
        self._site = site
        self._zygote = zygote
        self.folder = site.address.folder / name
        self._elsewhere = (site.address.elsewhere or site.address.folder) / f"{name}-elsewhere"
        self._log = self.folder / "daemon.log"
        data = self.folder / "data"
        self._inbox, self._database = data / "inbox", data / "classifyd.db"
        self._done = (self._elsewhere if self.variant.done_elsewhere else data) / "done"
        self._failed = (self._elsewhere if self.variant.failed_elsewhere else data) / "failed"
        staging = self.folder / "staging"
        for folder in (self._inbox, staging, self._elsewhere):
            folder.mkdir(parents=True)
        self._group = name
        self._input, self._output = f"{name}.pictures", f"{name}.outcomes"
        self._dead_letters = f"{self._input}.dead-letter"
        self._topics = {self._input: PARTITIONS, self._output: 1, self._dead_letters: 1}
        site.make_topics(self._topics, {self._dead_letters: {"max.message.bytes": str(_DEAD_LETTER_BYTES)}})
        self._outcomes = TopicReader(site.connection, self._output)
        self._letters = TopicReader(site.connection, self._dead_letters)
        self._messages: list[evidence.Message] = []
        self._dead: list[evidence.Message] = []
        self.feeder = Feeder(self.variant, self._inbox, staging, site, self._input)
        self._taker = Taker(random.Random(name))
        self._stand_ins = [] if self.variant.links else ["no-links"]
        self._heirs = 0
        self.hits: Counter[str] = Counter()
        self.missed: Counter[str] = Counter()
        self.lives = 0

    @property
    def duplicates(self) -> int:
        """Messages that were sent again."""
        return oracle.duplicates(self._messages)

    def play(self, one: Round) -> None:
        """Plays a round. Raises Violated."""
        for life in one.lives:
            if one.upgrades and "later-version" not in self._stand_ins:
                self._stand_ins.append("later-version")
            self._meddle(life.robbed, life.inherits)
            self._crash(life)
            self._check_dead()
        self._meddle(robbed=self.variant.takers, inherits=self.variant.heirs)
        self._recover()
        self._check_at_rest()
        self._end(orderly=one.orderly)
        self._check_dead()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leaves no process, and nothing at the broker."""
        self._zygote.kill()
        self._outcomes.close()
        self._letters.close()
        self._site.delete_topics(self._topics)

    def remove(self) -> None:
        """Removes its folders."""
        shutil.rmtree(self.folder)
        shutil.rmtree(self._elsewhere)

    # Lives.

    def _crash(self, life: Life) -> None:
        self.feeder.feed(life.early)
        self._start({"CLASSIFYD_CRASH_AT": f"{life.point}:{life.passing}"})
        status = self._zygote.ended(life.patience if life.late else 0.0)
        self.feeder.feed(life.late)
        began = time.monotonic()
        while status is None and not self._enough(life, time.monotonic() - began):
            status = self._zygote.ended(_LOOK)
        if status is not None:
            self._note(life, status)
        elif life.stops or life.by_signal:
            self._note(life, self._asked_to_end())
        else:
            self._zygote.kill()
            self.missed[life.point] += 1

    def _enough(self, life: Life, seconds: float) -> bool:
        """Whether a life that goes on is to be ended from outside."""
        if seconds > BOUND:
            raise Violated([f"neither worked off nor at {life.point} after {BOUND:.0f} s", *self._open()])
        started = life.stops and self._says_started()
        return seconds >= life.patience and (started or not self._open())

    def _note(self, life: Life, status: int) -> None:
        if status == -signal.SIGKILL:
            self.hits[life.point] += 1
        elif status == 0:
            self.missed[life.point] += 1
        else:
            raise Violated([f"the daemon ended with {status} instead of by SIGKILL at {life.point}"])

    def _recover(self) -> None:
        self._start({})
        began = time.monotonic()
        while self._open():
            if (status := self._zygote.ended(_LOOK)) is not None:
                raise Violated([f"the daemon ended by itself with {status}"])
            if time.monotonic() - began > BOUND:
                raise Violated([f"not worked off after {BOUND:.0f} s", *self._open()])

    def _end(self, orderly: bool) -> None:
        if not orderly:
            self._zygote.kill()
        elif status := self._asked_to_end():
            raise Violated([f"asked to end, the daemon ended with {status}"])

    def _asked_to_end(self) -> int:
        while not self._says_started():
            if (status := self._zygote.ended(_LOOK)) is not None:
                return status
        self._zygote.ask_to_end()
        status = self._zygote.ended(BOUND)
        if status is None:
            raise Violated([f"asked to end, the daemon went on for {BOUND:.0f} s"])
        return status

    def _start(self, further: dict[str, str]) -> None:
        self.lives += 1
        with self._log.open("ab") as log:
            log.write(f"# life {self.lives}: {further} {self._stand_ins}\n".encode())
            self._begun_at = log.tell()
        self._zygote.launch(self.folder, {**self._settings(), **further}, self._log, self._stand_ins)

    def _says_started(self) -> bool:
        with self._log.open("rb") as log:
            log.seek(self._begun_at)
            return _STARTED in log.read()

    def _settings(self) -> dict[str, str]:
        settings = {
            "DATA_DIR": str(self.folder / "data"),
            "HTTP__ENABLED": "false",
            "INBOX__AFTER": self.variant.after,
            "INBOX__DONE": str(self._done),
            "INBOX__FAILED": str(self._failed),
            "INBOX__SETTLE_TIME": "30ms",
            "INBOX__INCOMPLETE_TIMEOUT": "60ms",
            "LIMITS__MAX_BYTES": f"{MAX_BYTES}B",
            "LIMITS__MAX_PIXELS": f"{MAX_PIXELS}px",
            "INTAKE__MAX_ITEMS": str(self.variant.max_items),
            "MODELS__RESNET__MAX_BATCH": str(self.variant.max_batch),
            "DATABASE__OUTBOX_RETENTION": "0s",
            "KAFKA__BOOTSTRAP_SERVERS": self._site.address.servers,
            "KAFKA__INPUT__TOPIC": self._input,
            "KAFKA__INPUT__GROUP_ID": self._group,
            "KAFKA__INPUT__COMMIT_INTERVAL": "50ms",
            "KAFKA__OUTPUT__TOPIC": self._output,
            "LOG__FORMAT": "json",
        }
        if not self.variant.model_looks:
            settings["MODELS__RESNET__URL"] = self._site.address.model
        return {f"CLASSIFYD_{name}": value for name, value in settings.items()}

    # Between lives.

    def _meddle(self, robbed: bool, inherits: bool) -> None:
        if robbed:
            self._taker.take(evidence.rows(self._database))
        if inherits:
            self._heirs += 1
            bequeath(self._inbox, self._database, f"01ARZ3NDEKTSV4RRFFQ6{self._heirs:06}")

    # Checks.

    def _open(self) -> list[str]:
        """What is not worked off yet."""
        rows = evidence.rows(self._database)
        if len(rows) < self.feeder.expected:
            return [f"{len(rows)} rows of {self.feeder.expected}"]
        if waiting := evidence.unpublished(self._database):
            return [f"{waiting} messages in the outbox"]
        if self.variant.after != "keep" and (left := self._files(self._inbox)):
            return [f"in the inbox: {file.path}" for file in left]
        committed = self._committed()
        return [
            f"partition {partition}: committed at {committed.get(partition)}, its end is {end}"
            for partition, end in self.feeder.ends.items()
            if committed.get(partition, 0) < end
        ]

    def _check_dead(self) -> None:
        """What must hold at any moment."""
        committed = self._committed()
        rows = evidence.rows(self._database)
        gone = {row.sha256 for row in rows if self.variant.after == "delete" and row.status == "classified"}
        kept = tuple(file for file in self.feeder.inputs.dropped if file.sha256 not in gone)
        self._refuse(
            oracle.offsets(self.feeder.inputs, rows, committed)
            + oracle.rows_under_way(self.feeder.inputs, rows)
            + oracle.files_under_way(Inputs(dropped=kept), self._folders())
            + self._taker.overwritten()
        )

    def _check_at_rest(self) -> None:
        committed = self._committed()
        rows = evidence.rows(self._database)
        self._messages += self._outcomes.read()
        self._dead += self._letters.read()
        self._refuse(
            oracle.offsets(self.feeder.inputs, rows, committed)
            + oracle.rows_at_rest(self.feeder.inputs, rows)
            + oracle.files_at_rest(self.feeder.inputs, rows, self._folders(), self.variant.after)
            + oracle.messages(rows, self._messages)
            + oracle.dead_letters(self.feeder.inputs, rows, self._dead)
            + self._taker.overwritten()
        )

    def _refuse(self, sentences: list[str]) -> None:
        if sentences:
            raise Violated(sentences)

    def _committed(self) -> dict[int, int]:
        return evidence.committed(self._site.admin, self._group, self._input)

    def _folders(self) -> Folders:
        sidecars = {
            path for path in evidence.sidecars(self._failed) if self.variant.links or path.stat().st_size
        }
        return self._taker.without(
            Folders(
                inbox=self._files(self._inbox),
                done=self._files(self._done),
                failed=self._files(self._failed),
                sidecars=frozenset(sidecars),
            )
        )

    def _files(self, folder: Path) -> list[evidence.Found]:
        """The files in a folder, less what a start tries it out with (a later start removes that), and less
        empty ones where links are missing: a placeholder that a crash left unmarked stays for ever."""
        return [
            file
            for file in evidence.files(folder)
            if not file.path.name.startswith(TRIAL) and (self.variant.links or file.sha256 != _EMPTY)
        ]
