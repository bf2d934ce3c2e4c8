"""Daemons that share a group or an inbox, each with a database of its own: who recorded what, and why twice.

A picture may be in two databases for two reasons only. A record: its offset was not committed when its
partition was given to the other daemon. A file: the daemon that had recorded it was killed before it had
put it away, so that the other one took its claim over.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Literal

from verification.faults.evidence import SIDECAR, Folders, Row
from verification.faults.oracle import Produced
from verification.faults.rebalance.grouplog import Commit, Event

Cause = Literal["killed", "stopped", "rebalanced"]
_NEVER = 2**63


@dataclass(frozen=True, slots=True)
class Copy:
    """A row in the database of one daemon, which its instance names."""

    instance: str
    row: Row

    @property
    def received(self) -> int:
        """Milliseconds since 1970, UTC."""
        return _milliseconds(self.row.received_at)


@dataclass(frozen=True, slots=True)
class Pair:
    """Two rows of one origin, in the order in which the picture was received."""

    first: Copy
    again: Copy

    def __str__(self) -> str:
        return f"{self.first.row.origin}: recorded by {self.first.instance} and {self.again.instance}"


@dataclass(frozen=True, slots=True)
class End:
    """A daemon's process ended: some time between two moments (milliseconds since 1970, UTC)."""

    instance: str
    cause: Cause
    began: int
    over: int


def pairs(copies: Iterable[Copy]) -> list[Pair]:
    """Every row of an origin that has rows in several databases, with the one before it."""
    by_origin: dict[str, list[Copy]] = defaultdict(list)
    for copy in copies:
        by_origin[copy.row.origin].append(copy)
    return [
        Pair(first, again)
        for group in by_origin.values()
        if len(group) > 1
        for first, again in pairwise(sorted(group, key=lambda copy: copy.received))
    ]


def cause(pair: Pair, ends: Iterable[End]) -> Cause:
    """The worst that happened to the first daemon before the other received the picture."""
    between = {end.cause for end in ends if end.instance == pair.first.instance and _lies_between(end, pair)}
    return "killed" if "killed" in between else "stopped" if "stopped" in between else "rebalanced"


def unexplained_files(found: Iterable[Pair], ends: Sequence[End]) -> list[str]:
    """The files in two databases of which the first daemon was not killed in between."""
    return [
        f"{pair}, and the first was not killed in between"
        for pair in found
        if pair.first.row.source == "folder"
        and not any(
            end.cause == "killed" and end.instance == pair.first.instance and _lies_between(end, pair)
            for end in ends
        )
    ]


def without_remains(folders: Folders, found: Iterable[Pair]) -> tuple[Folders, int]:
    """The folders less what a daemon had begun with a file when it was killed, and another one, which cannot
    know of it, did again: half a sidecar, a sidecar, or the picture's second link. And how many these are."""
    files = [*folders.done, *folders.failed]
    places: dict[str, set[Path]] = defaultdict(set)
    for file in files:
        places[file.sha256].add(file.path)
    remains: set[Path] = set()
    for pair in found:
        first, again = pair.first.row, pair.again.row
        if first.stored is None:
            continue
        remains.add(first.stored.with_name(f".{first.id}.tmp"))
        if first.stored == again.stored:
            continue
        if first.stored not in places[first.sha256 or ""]:
            remains.add(Path(f"{first.stored}{SIDECAR}"))
        elif len(places[first.sha256 or ""]) > 1:
            remains |= {first.stored, Path(f"{first.stored}{SIDECAR}")}
    less = replace(
        folders,
        done=[file for file in folders.done if file.path not in remains],
        failed=[file for file in folders.failed if file.path not in remains],
        sidecars=folders.sidecars - remains,
    )
    everything = {*(file.path for file in files), *folders.sidecars}
    return less, len(remains & everything)


def unexplained_records(found: Iterable[Pair], log: Iterable[Event]) -> list[str]:
    """The records in two databases that were committed already when the second daemon was given their
    partition, or whose partition it was never given."""
    given = _handovers(log)
    sentences = []
    for pair in found:
        row, instance = pair.again.row, pair.again.instance
        if row.partition is None or row.offset is None:
            continue
        before = [
            committed
            for moment, holder, committed in given[row.partition]
            if holder == instance and moment <= pair.again.received
        ]
        if not before:
            sentences.append(f"{pair}, and the second did not hold the partition")
        elif before[-1] > row.offset:
            sentences.append(f"{pair}, and {before[-1]} was committed when the second got the partition")
    return sentences


def _handovers(log: Iterable[Event]) -> dict[int, list[tuple[int, str, int]]]:
    """By partition: when it was given to whom, and the offset that was committed then."""
    committed: dict[int, int] = defaultdict(int)
    given: dict[int, list[tuple[int, str, int]]] = defaultdict(list)
    for event in log:
        if isinstance(event, Commit):
            committed[event.partition] = event.offset
        else:
            for partition, holder in event.holders.items():
                given[partition].append((event.moment, holder, committed[partition]))
    return given


def hasty_commits(produced: Iterable[Produced], copies: Iterable[Copy], log: Iterable[Event]) -> list[str]:
    """The commits, of all that were ever made, that passed a record before its outcome was found, or that
    took back an earlier one."""
    done: dict[tuple[int, int], int] = {}
    for copy in copies:
        if copy.row.partition is not None and copy.row.offset is not None:
            place = copy.row.partition, copy.row.offset
            done[place] = min(done.get(place, _NEVER), _milliseconds(copy.row.classified_at))
    offsets: dict[int, list[int]] = defaultdict(list)
    for record in sorted(produced, key=lambda record: record.offset):
        offsets[record.partition].append(record.offset)
    latest = {
        partition: [0, *accumulate((done.get((partition, offset), _NEVER) for offset in sorted_offsets), max)]
        for partition, sorted_offsets in offsets.items()
    }
    sentences = []
    reached: dict[int, int] = defaultdict(int)
    for commit in (event for event in log if isinstance(event, Commit)):
        where = f"partition {commit.partition}: {commit.offset} was committed"
        passed = bisect_left(offsets[commit.partition], commit.offset)
        if latest.get(commit.partition, [0])[passed] > commit.moment:
            sentences.append(f"{where} before the outcome of every record below it was recorded")
        if commit.offset < reached[commit.partition]:
            sentences.append(f"{where} after {reached[commit.partition]}")
        reached[commit.partition] = commit.offset
    return sentences


def _lies_between(end: End, pair: Pair) -> bool:
    return end.over >= pair.first.received and end.began <= pair.again.received


def _milliseconds(moment: str) -> int:
    return round(datetime.fromisoformat(moment).timestamp() * 1000)
