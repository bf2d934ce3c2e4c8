"""Whether the folders can be used: said before the start, in words that tell what to do."""

import errno
import os
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from classifyd.core.errors import ConfigurationError
from classifyd.core.names import encode_path
from classifyd.crashpoints import Point, reached
from classifyd.sources.folder.config import FolderConfig
from classifyd.sources.folder.layout import Layout
from classifyd.sources.folder.people import current_user

_PROBE = ".classifyd-check-"
_LEFT_BEHIND = 60.0
"""Seconds after which a probe, which lives for some milliseconds, is one that a killed process left."""


def check_folders(config: FolderConfig) -> list[str]:
    """Every reason why these folders cannot be used, one sentence each; none when all is well.

    Makes the folders that the daemon would make, and writes and renames a file in each to be sure. A
    configured inbox that is missing is no problem: the daemon waits for it.
    """
    problems = _overlaps(config) + _check_inbox(config)
    used = {"move": (config.done, config.failed), "delete": (config.failed,), "keep": ()}[config.after]
    for name, folder in zip(("failed", "done"), reversed(used), strict=False):
        problems += _check_target(name, folder)
    return problems


def ensure_folders(config: FolderConfig) -> None:
    """Raises ConfigurationError, in one line, for what `check_folders` finds."""
    if problems := check_folders(config):
        raise ConfigurationError("; ".join(problems))


def _overlaps(config: FolderConfig) -> list[str]:
    if not config.claims:
        return []
    work = Layout(config.path).work
    return [
        f"inbox.{name} is {encode_path(folder)}, which is the inbox's own: choose another folder"
        for name, folder in (("done", config.done), ("failed", config.failed))
        if folder == config.path or folder == work or work in folder.parents
    ]


def _check_inbox(config: FolderConfig) -> list[str]:
    what = f"inbox {encode_path(config.path)}"
    try:
        if config.create:
            config.path.mkdir(parents=True, exist_ok=True)
        elif not config.path.exists():
            return []
        if not config.path.is_dir():
            return [f"{what} is not a folder: name a folder in inbox.path"]
        with os.scandir(config.path):
            pass
        if config.claims:
            work = Layout(config.path).work
            work.mkdir(exist_ok=True)
            _try_out(config.path, work)
    except OSError as error:
        return [f"{what} cannot be used: {_explain(error)}{_keep_instead(config, error)}"]
    return []


def _check_target(name: str, folder: Path) -> list[str]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _try_out(folder, folder)
    except OSError as error:
        return [f"inbox.{name} {encode_path(folder)} cannot be written: {_explain(error)}"]
    return []


def _try_out(folder: Path, target: Path) -> None:
    """Makes a file in a folder, renames it into another, and removes it, and those left behind by others."""
    descriptor, path = tempfile.mkstemp(prefix=_PROBE, dir=folder)
    os.close(descriptor)
    moved = target / f"{Path(path).name}.moved"
    try:
        Path(path).rename(moved)
        reached(Point.FOLDER_TRIED)
    finally:
        for left in (Path(path), moved):
            with suppress(FileNotFoundError):
                left.unlink()
    for left in {*folder.glob(f"{_PROBE}*"), *target.glob(f"{_PROBE}*")}:
        with suppress(OSError):  # another daemon is just removing it, or it is another user's
            if time.time() - left.lstat().st_mtime > _LEFT_BEHIND:
                left.unlink()


def _explain(error: OSError) -> str:
    if error.errno == errno.EROFS:
        return "its disk is read-only; mount it writable"
    if error.errno in {errno.EACCES, errno.EPERM}:
        where = encode_path(error.filename) if error.filename else "it"
        return f"user {current_user()} has no right to write in {where}; change its owner or mode"
    if isinstance(error, FileExistsError | NotADirectoryError):
        return "a file lies where a folder is needed; remove it or choose another path"
    return error.strerror or str(error)


def _keep_instead(config: FolderConfig, error: OSError) -> str:
    readable = os.access(config.path, os.R_OK | os.X_OK)
    rights = {errno.EROFS, errno.EACCES, errno.EPERM}
    return ', or set inbox.after = "keep"' if config.claims and readable and error.errno in rights else ""
