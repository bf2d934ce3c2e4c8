"""Events of the folder source. Paths and names are text as `core.names` encodes them."""

import logging
from dataclasses import dataclass
from typing import ClassVar

from classifyd.telemetry import metrics
from classifyd.telemetry.events import Event, emit

__all__ = [
    "ClaimVanished",
    "ClaimsOutOfReach",
    "ClaimsTakenOver",
    "EventsLost",
    "FileUnreadable",
    "FolderUnreadable",
    "InboxScanned",
    "IrregularFile",
    "LocksUnavailable",
    "OtherFiles",
    "PollingInstead",
    "StoredElsewhere",
    "emit",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxScanned(Event):
    """A full scan is over."""

    level: ClassVar[int] = logging.DEBUG
    message: ClassVar[str] = "inbox scanned"
    pictures: int
    other_files: int
    seconds: float

    def measure(self) -> None:
        metrics.inbox_skipped.set(self.other_files)


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherFiles(Event):
    message: ClassVar[str] = "files that are not pictures by name stay where they are"
    extension: str
    example: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IrregularFile(Event):
    level: ClassVar[int] = logging.WARNING
    message: ClassVar[str] = "not a regular file: it is left where it is and never followed"
    path: str
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FileUnreadable(Event):
    level: ClassVar[int] = logging.WARNING
    message: ClassVar[str] = "a file cannot be taken; it is left where it is and tried again"
    path: str
    reason: str
    remedy: str
    user: str
    owner: str
    mode: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderUnreadable(Event):
    level: ClassVar[int] = logging.WARNING
    message: ClassVar[str] = "a folder in the inbox cannot be listed; it is tried again at every full scan"
    path: str
    reason: str
    remedy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PollingInstead(Event):
    level: ClassVar[int] = logging.WARNING
    message: ClassVar[str] = "the inbox is scanned regularly instead of being watched"
    inbox: str
    reason: str
    every: float


@dataclass(frozen=True, slots=True, kw_only=True)
class EventsLost(Event):
    message: ClassVar[str] = "the system lost events of the inbox; a full scan makes up for them"
    inbox: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LocksUnavailable(Event):
    level: ClassVar[int] = logging.WARNING
    message: ClassVar[str] = "the inbox's disk has no locks: claims of a dead daemon are not taken over here"
    inbox: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimsOutOfReach(Event):
    level: ClassVar[int] = logging.WARNING
    message: ClassVar[str] = "claims of another daemon cannot be taken over; it is tried at every full scan"
    path: str
    reason: str
    remedy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimsTakenOver(Event):
    message: ClassVar[str] = "unfinished files are taken up again"
    instance: str
    files: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimVanished(Event):
    level: ClassVar[int] = logging.WARNING
    message: ClassVar[str] = "somebody removed a claimed file"
    origin: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredElsewhere(Event):
    level: ClassVar[int] = logging.WARNING
    message: ClassVar[str] = "the recorded place was taken in the meantime; the picture was put beside it"
    origin: str
    recorded: str
    path: str
