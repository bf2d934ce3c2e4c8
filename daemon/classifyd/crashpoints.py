"""Crash points: the places between any two durable effects, where a test has the daemon die.

`CLASSIFYD_CRASH_AT=<point>:<n>` ends the process by SIGKILL when it passes that point for the n-th time, as a
power failure or the out-of-memory killer might; nothing is flushed, closed or told. Unset, nothing happens.
`verification/faults/crash` picks points at random and checks that nothing is lost and nothing done twice.
"""

import os
import signal
import threading
from dataclasses import dataclass, field
from difflib import get_close_matches
from enum import StrEnum

VARIABLE = "CLASSIFYD_CRASH_AT"


class Point(StrEnum):
    """Each is passed after one durable effect and before the next, roughly in this order."""

    # The database is opened.
    TABLES_MADE = "tables-made"
    """A migration has run; its transaction is not committed."""
    DATABASE_MIGRATED = "database-migrated"
    """The tables are there; the write-ahead log is not turned on."""
    BACKUP_WRITTEN = "backup-written"
    """The copy before an upgrade is complete under a temporary name."""
    BACKUP_NAMED = "backup-named"
    """The copy has its name; its temporary name is still there and the folder is not synced."""
    BACKUP_MADE = "backup-made"
    """The copy is on the disk; the upgrade has not begun."""
    INSTANCE_INSERTED = "instance-inserted"
    """This daemon's identity is chosen; its transaction is not committed."""
    INSTANCE_MADE = "instance-made"
    """The identity is committed; nobody has used it."""

    # The folder source takes a file.
    FOLDER_TRIED = "folder-tried"
    """A file that tries a folder out was made and renamed; it is still there."""
    INBOX_LOCKED = "inbox-locked"
    """This instance's lock is taken; what an earlier life claimed is not looked at."""
    CLAIM_TAKEN_OVER = "claim-taken-over"
    """A dead instance's claim folder is renamed into this one's; none of its files is known yet."""
    FILE_READ = "file-read"
    """A file was read and passed the gate's walk; it lies in the inbox."""
    CLAIM_FOLDER_MADE = "claim-folder-made"
    """The folder for a claimed file is there and empty."""
    FILE_CLAIMED = "file-claimed"
    """A file lies in its claim folder; nobody was offered it."""

    # The Kafka source takes records.
    PARTITIONS_ASSIGNED = "partitions-assigned"
    """The group gave partitions; where they begin is not asked."""
    RECORDS_READ = "records-read"
    """Records were polled; none is noted as under way."""
    RECORDS_HELD = "records-held"
    """Records are noted as under way; none was offered."""

    # A picture passes the pipeline.
    PICTURE_QUEUED = "picture-queued"
    """A picture waits in the intake, or was refused by the gate."""
    BATCH_TAKEN = "batch-taken"
    """A worker holds a batch; the model was not asked."""
    PICTURE_CLASSIFIED = "picture-classified"
    """The model has answered for a picture; nobody was told."""
    PLACE_PROMISED = "place-promised"
    """The place of a picture is chosen and its messages are composed; nothing is written."""
    RESULTS_INSERTED = "results-inserted"
    """Rows are inserted, their messages not, and nothing is committed."""
    MESSAGES_INSERTED = "messages-inserted"
    """Messages are in the outbox; nothing is committed."""
    MESSAGES_MARKED = "messages-marked"
    """Messages are marked as published; nothing is committed."""
    TRANSACTION_COMMITTED = "transaction-committed"
    """A transaction of the recorder is committed; nothing is settled and the relay knows nothing."""
    DELIVERY_SETTLED = "delivery-settled"
    """One delivery of a committed transaction is settled, others perhaps not."""

    # A settled file is put away.
    MOVE_BEGUN = "move-begun"
    """The mover has a committed file in hand; nothing was done with it."""
    CONTENT_WRITTEN = "content-written"
    """A sidecar is on the disk under its temporary name."""
    CONTENT_NAMED = "content-named"
    """A sidecar has its name; the temporary name is still there."""
    SIDECAR_WRITTEN = "sidecar-written"
    """The sidecar is complete; its picture lies in the claim folder."""
    SIDECAR_WITHDRAWN = "sidecar-withdrawn"
    """The picture's place turned out to be taken; the sidecar is gone again."""
    PLACE_FOLDER_MADE = "place-folder-made"
    """The folder of the picture's place is there; nothing of the picture is in it."""
    FILE_LINKED = "file-linked"
    """The picture lies in its claim folder and at its place: two names of one file."""
    FILE_COPIED = "file-copied"
    """The picture is copied to another file system and on the disk there, under a temporary name."""
    COPY_NAMED = "copy-named"
    """The copy lies at its place and under its temporary name."""
    COPY_SYNCED = "copy-synced"
    """The copy is complete and on the disk; the picture still lies in its claim folder too."""
    PLACEHOLDER_MADE = "placeholder-made"
    """Where links are missing: an empty file holds the picture's place."""
    PLACEHOLDER_MARKED = "placeholder-marked"
    """The placeholder says for which picture it stands; the picture lies in its claim folder."""
    PLACEHOLDER_REMOVED = "placeholder-removed"
    """The placeholder turned out to stand on another file system; the picture is not copied."""
    FILE_MOVED = "file-moved"
    """The picture lies at its place alone; its claim folder is still there."""
    FILE_DELETED = "file-deleted"
    """`inbox.after = "delete"`: the picture is gone; its claim folder is still there."""
    CLAIM_FOLDER_REMOVED = "claim-folder-removed"
    """The claim folder is removed if it was empty; the credit is not given back."""

    # A settled record's offset is committed.
    RECORD_SETTLED = "record-settled"
    """The tracker knows that a record is settled."""
    OFFSETS_CHOSEN = "offsets-chosen"
    """Offsets are to be committed; the broker was not told."""
    OFFSETS_SENT = "offsets-sent"
    """Offsets are on their way to the broker."""
    OFFSETS_COMMITTED = "offsets-committed"
    """The broker has acknowledged the offsets."""

    # An outcome is published.
    OUTBOX_READ = "outbox-read"
    """The relay holds messages; none is sent."""
    MESSAGE_SENT = "message-sent"
    """A message is on its way to the broker, others of its batch perhaps not."""
    MESSAGE_ACKNOWLEDGED = "message-acknowledged"
    """The broker has acknowledged a message, others of its batch perhaps not."""
    VALUE_OMITTED = "value-omitted"
    """The broker refused a dead letter for its size; without its value it is not sent yet."""
    BATCH_PUBLISHED = "batch-published"
    """A batch is acknowledged; the recorder was not asked to mark it."""
    MARKS_POSTED = "marks-posted"
    """The recorder was asked to mark a batch; its transaction has not begun."""
    OUTBOX_PRUNED = "outbox-pruned"
    """Published messages are deleted; the transaction is not committed."""
    PRUNING_COMMITTED = "pruning-committed"
    """Published messages are gone."""

    # The daemon is stopped.
    SOURCES_DRAINED = "sources-drained"
    """The sources were told to take nothing more; workers hold pictures."""
    WORKERS_ENDED = "workers-ended"
    """No picture is asked about any more; some wait for the recorder."""
    RECORDER_FLUSHED = "recorder-flushed"
    """Every outcome is committed; files wait for the mover and offsets to be committed."""
    SETTLERS_ENDED = "settlers-ended"
    """Files are put away and offsets committed; messages wait for the relay."""
    RELAY_ENDED = "relay-ended"
    """The relay has published what it could and marked it; the database is open."""
    DATABASE_CLOSED = "database-closed"
    """Everything is closed; the process has not ended."""


@dataclass(slots=True)
class _Order:
    """Die at the n-th passing of a point."""

    point: Point
    left: int
    lock: threading.Lock = field(default_factory=threading.Lock)

    def passed(self) -> None:
        with self.lock:
            self.left -= 1
            if self.left == 0:
                os.kill(os.getpid(), signal.SIGKILL)


_order: _Order | None = None


def arm(text: str | None) -> None:
    """Takes the value of CLASSIFYD_CRASH_AT: `<point>:<n>`, n from 1; nothing or "" for never.

    Raises ValueError, in words for whoever set it.
    """
    global _order
    _order = _parsed(text) if text else None


def reached(point: Point) -> None:
    """The process passes this point. Safe from any thread."""
    if _order is not None and _order.point is point:
        _order.passed()


def _parsed(text: str) -> _Order:
    name, _, number = text.rpartition(":")
    if not (number.isascii() and number.isdigit() and int(number)):
        raise ValueError(f"{VARIABLE}: {text!r} is not POINT:N, such as {Point.FILE_CLAIMED}:1")
    try:
        return _Order(Point(name), int(number))
    except ValueError:
        near = get_close_matches(name, list(Point), n=1)
        meant = f"; did you mean {near[0]}?" if near else ": the points are listed in classifyd.crashpoints"
        raise ValueError(f"{VARIABLE}: there is no crash point {name!r}{meant}") from None
