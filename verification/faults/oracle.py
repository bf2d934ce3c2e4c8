"""The oracle: compares what was put in with what really is, and never asks the daemon.

Every picture that is put in holds bytes of its own, so that its hash names it. Each function returns the
violations as sentences; none is what a sound daemon gives.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from verification.faults.evidence import Folders, Message, Row, sha256

CLASSIFIED, REJECTED = "classified", "rejected"
_PERHAPS_RECORDED = {0, HTTPStatus.OK, HTTPStatus.GATEWAY_TIMEOUT}


@dataclass(frozen=True, slots=True)
class Dropped:
    """A file that was put into the inbox; `path` is relative to it, as text. Names may come again."""

    path: str
    sha256: str
    good: bool = True


@dataclass(frozen=True, slots=True)
class Produced:
    """A record that was produced to the input topic and is no tombstone."""

    partition: int
    offset: int
    sha256: str
    good: bool = True


@dataclass(frozen=True, slots=True)
class Answered:
    """A picture that was posted: the status of its answer (0: none came) and the result's id."""

    status: int
    id: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Inputs:
    """Everything that was put in so far."""

    dropped: Sequence[Dropped] = ()
    produced: Sequence[Produced] = ()


def rows_at_rest(inputs: Inputs, rows: Sequence[Row]) -> list[str]:
    """Every input has exactly one row, of the right status, and every row an input."""
    return [*_rows_of_files(inputs.dropped, rows), *_rows_of_records(inputs.produced, rows)]


def rows_under_way(inputs: Inputs, rows: Sequence[Row]) -> list[str]:
    """No input has two rows, and no row is without an input: true at any moment."""
    sentences = _rows_of_files(inputs.dropped, rows, complete=False)
    return [*sentences, *_rows_of_records(inputs.produced, rows, complete=False)]


def _rows_of_files(dropped: Sequence[Dropped], rows: Sequence[Row], complete: bool = True) -> list[str]:
    by_hash: dict[str, list[Row]] = defaultdict(list)
    without_hash: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if row.source == "folder":
            if row.sha256 is not None:
                by_hash[row.sha256].append(row)
            else:  # over the limit of bytes: never read
                without_hash[row.path or ""].append(row)
    found: list[str] = []
    for file in dropped:
        of_file = by_hash.pop(file.sha256, None) or without_hash.pop(file.path, [])
        found += _one_row(f"file {file.path}", file.good, of_file, complete)
        found += [
            f"file {file.path}: its row {row.id} has the path {row.path}"
            for row in of_file
            if row.path != file.path
        ]
    strangers = [*by_hash.values(), *without_hash.values()]
    return found + [f"row {row.id}: nobody dropped {row.path}" for group in strangers for row in group]


def _rows_of_records(produced: Sequence[Produced], rows: Sequence[Row], complete: bool = True) -> list[str]:
    by_place: dict[tuple[int | None, int | None], list[Row]] = defaultdict(list)
    for row in rows:
        if row.source == "kafka":
            by_place[row.partition, row.offset].append(row)
    found: list[str] = []
    for record in produced:
        what = f"record {record.partition}/{record.offset}"
        of_record = by_place.pop((record.partition, record.offset), [])
        found += _one_row(what, record.good, of_record, complete)
        found += [
            f"{what}: its row {row.id} has the hash of another"
            for row in of_record
            if row.sha256 not in (None, record.sha256)
        ]
    strangers = [row for group in by_place.values() for row in group]
    return found + [f"row {row.id}: nobody produced {row.partition}/{row.offset}" for row in strangers]


def _one_row(what: str, good: bool, rows: Sequence[Row], complete: bool) -> list[str]:
    if not rows and not complete:
        return []
    if len(rows) != 1:
        return [f"{what}: {len(rows)} rows instead of one: {[row.origin for row in rows]}"]
    wanted = CLASSIFIED if good else REJECTED
    if rows[0].status != wanted:
        return [f"{what}: {rows[0].status} ({rows[0].error_code}) instead of {wanted}"]
    return []


def rows_of_requests(answered: Sequence[Answered], rows: Sequence[Row]) -> list[str]:
    """Every picture that was answered by HTTP has exactly one row, with the answer's id, and no other has
    one, unless its client got no answer or was told that it came too late."""
    by_hash: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if row.source == "http":
            by_hash[row.sha256 or ""].append(row)
    found: list[str] = []
    for one in answered:
        of_request = by_hash.pop(one.sha256, [])
        ids = [row.id for row in of_request]
        if one.status == HTTPStatus.OK and ids != [one.id]:
            found.append(f"request {one.id}: its rows are {ids}")
        elif one.status not in _PERHAPS_RECORDED and of_request:
            found.append(f"a request that was answered with {one.status} has the rows {ids}")
    return found + [f"row {row.id}: nobody posted it" for group in by_hash.values() for row in group]


def files_under_way(inputs: Inputs, folders: Folders) -> list[str]:
    """Nothing is gone, at any moment at which no daemon runs (with `after = "move"` or `"keep"`)."""
    present = {file.sha256 for file in (*folders.inbox, *folders.done, *folders.failed)}
    return [f"file {file.path}: gone" for file in inputs.dropped if file.sha256 not in present]


def files_at_rest(inputs: Inputs, rows: Sequence[Row], folders: Folders, after: str = "move") -> list[str]:
    """Every file is where its row says, once and unchanged, and nowhere else. `after` as in the settings."""
    everywhere = (*folders.inbox, *folders.done, *folders.failed)
    places: dict[str, list[Path]] = defaultdict(list)
    for file in everywhere:
        places[file.sha256].append(file.path)
    by_hash = {row.sha256: row for row in rows if row.source == "folder" and row.sha256}
    by_path = {row.path: row for row in rows if row.source == "folder" and row.sha256 is None}
    found: list[str] = []
    for file in inputs.dropped:
        where = places.pop(file.sha256, [])
        row = by_hash.get(file.sha256) or by_path.get(file.path)
        if row is not None:
            deleted = after == "delete" and row.status == CLASSIFIED
            found += _right_place(file, row, where, deleted)
    found += [f"{path}: nobody dropped it" for paths in places.values() for path in paths]
    if after != "keep":
        found += [f"{file.path}: left in the inbox" for file in folders.inbox]
        found += _sidecars(folders)
    return found


def _right_place(file: Dropped, row: Row, where: Sequence[Path], deleted: bool) -> list[str]:
    if deleted:
        return [f"file {file.path}: not deleted from {path}" for path in where]
    if len(where) != 1:
        return [f"file {file.path}: in {len(where)} places: {[str(path) for path in where]}"]
    if row.stored is not None and not _same_place(where[0], row.stored, row.id):
        return [f"file {file.path}: in {where[0]}, its row says {row.stored}"]
    return []


def _same_place(path: Path, stored: Path, result_id: str) -> bool:
    """A name that somebody took between choosing and moving gets the result's id; the log tells it."""
    return path == stored or (path.parent == stored.parent and result_id in path.name)


def _sidecars(folders: Folders) -> list[str]:
    wanted = {Path(f"{file.path}.error.json") for file in folders.failed}
    missing = [f"{path}: missing" for path in sorted(wanted - folders.sidecars)]
    return missing + [f"{path}: a sidecar without its picture" for path in sorted(folders.sidecars - wanted)]


def messages(rows: Iterable[Row], found: Sequence[Message]) -> list[str]:
    """Every row's message is on the topic at least once, and an origin always has the same id."""
    by_id = {row.id: row for row in rows}
    told = {message.id for message in found}
    sentences = [
        f"row {row.id} ({row.origin}): no message on the topic"
        for row in by_id.values()
        if row.id not in told
    ]
    sentences += [f"message {one}: there is no such row" for one in sorted(told - by_id.keys())]
    ids: dict[str, set[str]] = defaultdict(set)
    for message in found:
        ids[message.document["origin"]].add(message.id)
    sentences += [f"origin {origin}: published as {sorted(of)}" for origin, of in ids.items() if len(of) > 1]
    return sentences


def duplicates(found: Sequence[Message]) -> int:
    """How many messages were sent again: what a crash between acknowledgement and mark costs."""
    return sum(count - 1 for count in Counter(message.id for message in found).values())


def offsets(inputs: Inputs, rows: Sequence[Row], committed: Mapping[int, int]) -> list[str]:
    """No committed offset passes a record without a row. Read `committed` before the rows."""
    recorded = {(row.partition, row.offset) for row in rows if row.source == "kafka"}
    return [
        f"partition {record.partition}: committed at {committed[record.partition]}, "
        f"past record {record.offset} that has no row"
        for record in inputs.produced
        if record.offset < committed.get(record.partition, 0)
        and (record.partition, record.offset) not in recorded
    ]


def dead_letters(inputs: Inputs, rows: Sequence[Row], found: Sequence[Message]) -> list[str]:
    """Every rejected record is on the dead-letter topic at least once, with the bytes that came, and nothing
    else is."""
    hashes = {(record.partition, record.offset): record.sha256 for record in inputs.produced}
    rejected = {row.origin: row for row in rows if row.source == "kafka" and row.status == REJECTED}
    told = {letter.headers["classifyd-origin"].decode() for letter in found}
    sentences = [f"{origin}: rejected, but no dead letter" for origin in sorted(rejected.keys() - told)]
    sentences += [f"{origin}: a dead letter, but not rejected" for origin in sorted(told - rejected.keys())]
    for letter in found:
        row = rejected.get(letter.headers["classifyd-origin"].decode())
        whole = "classifyd-value-omitted" not in letter.headers
        if row and whole and sha256(letter.value or b"") != hashes.get((row.partition, row.offset)):
            sentences.append(f"{row.origin}: the dead letter holds other bytes than came")
    return sentences
