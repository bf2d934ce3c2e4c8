"""What the database tells."""

import logging
from dataclasses import dataclass
from typing import ClassVar

from classifyd.telemetry.events import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class SqliteHasWalResetBug(Event):
    """`version` is SQLite's."""

    level: ClassVar[int] = logging.WARNING
    message: ClassVar[str] = (
        "this SQLite may, very rarely, corrupt a database that is written and checkpointed by two connections"
        " at one moment: keep backups, and use a Python with SQLite 3.51.3, 3.50.7, 3.44.6 or newer"
    )

    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseCreated(Event):
    """`path` is the new file."""

    message: ClassVar[str] = "database created"

    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseUpgraded(Event):
    """`before` is the revision it had, `revision` what it has now, `copy` the file as it was."""

    message: ClassVar[str] = "database upgraded"

    path: str
    before: str
    revision: str
    copy: str
