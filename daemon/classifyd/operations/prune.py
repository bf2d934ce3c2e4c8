"""Deletes old results, and their pictures where asked."""

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from classifyd.core.names import decode_path
from classifyd.sources.folder.shelf import sidecar_of
from classifyd.store.pruning import OldResult, OldResults


@dataclass(frozen=True, slots=True)
class Pruned:
    """How many results and pictures were deleted, or would be. `failures` names the pictures that could not
    be, with the reason: their results stay."""

    results: int
    files: int
    failures: tuple[str, ...]


def prune(url: str, before: datetime, folders: Sequence[Path] = (), *, dry_run: bool = False) -> Pruned:
    """Deletes the results of the database of `url` that were classified before then (aware), save those
    whose message waits to be published.

    With `folders` (done and failed) their pictures too, where they lie inside one of them, are of the
    recorded size, and no other result names the same place; the reason beside a rejected one goes along,
    and so do folders that become empty. A `dry_run` only counts, and may run beside a daemon.
    Raises ConfigurationError when there is no database or a daemon holds it, StoreUnavailable.
    """
    roots = [Path(os.path.abspath(folder)) for folder in folders]  # noqa: PTH100 (links are not followed)
    deleted, files = 0, 0
    failures: list[str] = []
    with OldResults(url, exclusive=not dry_run) as old:
        for batch in old.before(before):
            shared = old.named_by_others(batch) if roots else set()
            gone = []
            for result in batch:
                try:
                    files += result.place not in shared and _delete_picture(result, roots, dry_run)
                except OSError as error:
                    failures.append(f"{result.place}: {error.strerror}")
                else:
                    gone.append(result.id)
            # The rows last: after a crash what is left of the pictures is still known.
            if not dry_run:
                old.delete(gone)
            deleted += len(gone)
    return Pruned(deleted, files, tuple(failures))


def _delete_picture(result: OldResult, roots: Sequence[Path], dry_run: bool) -> bool:
    """Whether there is a picture of this result, which is then deleted."""
    if result.place is None:
        return False
    try:
        path = Path(os.path.abspath(decode_path(result.place)))  # noqa: PTH100
    except ValueError:  # nothing can lie there
        return False
    root = next((root for root in roots if path.is_relative_to(root)), None)
    if root is None or not _is_picture(path, result.size_bytes):
        return False
    if not dry_run:
        path.unlink()
        sidecar_of(path).unlink(missing_ok=True)
        _remove_empty(path.parent, root)
    return True


def _is_picture(path: Path, size_bytes: int) -> bool:
    try:
        found = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return stat.S_ISREG(found.st_mode) and found.st_size == size_bytes


def _remove_empty(folder: Path, root: Path) -> None:
    while folder != root:
        try:
            folder.rmdir()
        except OSError:
            return
        folder = folder.parent
