"""An inbox that is open: locked by this instance, and watched where that works."""

import os
from dataclasses import dataclass

from classifyd.core.errors import ClassifydError, ConfigurationError
from classifyd.core.names import encode_path
from classifyd.crashpoints import Point, reached
from classifyd.sources.folder.check import check_folders
from classifyd.sources.folder.claims import Claims
from classifyd.sources.folder.config import FolderConfig
from classifyd.sources.folder.hints import Hints
from classifyd.sources.folder.layout import Layout
from classifyd.sources.folder.locks import InstanceLock, LocksMissing
from classifyd.sources.folder.mounts import remote_kind
from classifyd.sources.folder.watcher import Watcher, WatchesExhausted


class InboxUnusable(ClassifydError):
    """The inbox cannot be worked with now; the message says why and what to do."""


@dataclass(slots=True)
class Inbox:
    """What belongs to one inbox folder for as long as it is this very folder.

    `polling` says why it is scanned regularly instead of being watched, `lockless` why it is not locked.
    """

    config: FolderConfig
    identity: tuple[int, int]
    claims: Claims
    lock: InstanceLock | None
    watcher: Watcher | None
    polling: str | None
    lockless: str | None

    @classmethod
    def open(cls, config: FolderConfig, instance: str, hints: Hints, watch: bool) -> "Inbox":
        """Raises InboxUnusable while it is missing or forbids its use, ConfigurationError where watching
        was asked for and is impossible."""
        try:
            if not config.create and not config.path.exists():
                raise InboxUnusable(
                    f"inbox {encode_path(config.path)} is missing: waiting for it (is it mounted?)"
                )
            if problems := check_folders(config):
                raise InboxUnusable("; ".join(problems))
            identity = _identity(config)
            lock, lockless = _lock(config, instance) if config.claims else (None, None)
            reached(Point.INBOX_LOCKED)
            claims = Claims(Layout(config.path), instance)
        except OSError as error:
            raise InboxUnusable(f"inbox {encode_path(config.path)}: {error.strerror}") from error
        try:
            watcher, polling = _watch(config, hints) if watch else (None, None)
        except BaseException:
            if lock is not None:
                lock.release()
            raise
        return cls(config, identity, claims, lock, watcher, polling, lockless)

    @property
    def broken(self) -> bool:
        """Whether it is to be opened again: the folder, or the lock's file, is gone or another one."""
        try:
            same = _identity(self.config) == self.identity
        except OSError:
            return True
        return not same or (self.lock is not None and not self.lock.intact)

    @property
    def unwatched(self) -> bool:
        """Whether the watcher has ended, or lacks watches."""
        return self.watcher is not None and self.watcher.broken is not None

    def watch_again(self, hints: Hints) -> None:
        """Replaces the watcher, and keeps the lock meanwhile. Raises as `open` does."""
        if self.watcher is not None:
            self.watcher.close()
        self.watcher, self.polling = None, None
        self.watcher, self.polling = _watch(self.config, hints)

    def close(self) -> None:
        """Gives up the watch and the lock."""
        if self.watcher is not None:
            self.watcher.close()
        if self.lock is not None:
            self.lock.release()


def _identity(config: FolderConfig) -> tuple[int, int]:
    status = config.path.stat()
    return status.st_dev, status.st_ino


def _lock(config: FolderConfig, instance: str) -> tuple[InstanceLock | None, str | None]:
    path = Layout(config.path).lock_of(instance)
    try:
        lock = InstanceLock.take(path)
    except LocksMissing as error:
        return None, str(error)
    if lock is None:
        raise InboxUnusable(
            f"inbox {encode_path(config.path)} is in use by another daemon of the same identity: "
            "stop it, or give this one a database of its own instead of a copy"
        )
    return lock, None


def _watch(config: FolderConfig, hints: Hints) -> tuple[Watcher | None, str | None]:
    if config.watch == "poll":
        return None, None
    if config.watch == "auto" and (kind := remote_kind(config.path)) is not None:
        return None, f"changes on a file system of type {kind} come without events"
    try:
        return Watcher(config.path, config.recursive, hints), None
    except WatchesExhausted as error:
        if config.watch == "native":
            raise ConfigurationError(f'{error}, or set inbox.watch = "auto"') from error
        return None, str(error)
    except OSError as error:
        raise InboxUnusable(
            f"inbox {encode_path(config.path)} cannot be watched: {os.strerror(error.errno or 0)}"
        ) from error
