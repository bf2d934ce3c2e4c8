"""Failed files back into the inbox: pure file work, beside a running daemon or without one."""

import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import orjson
from ulid import ULID

from classifyd.core.names import decode_path
from classifyd.sources.folder.moves import move_where_seen
from classifyd.sources.folder.shelf import SIDECAR, beside, sidecar_of


@dataclass(frozen=True, slots=True)
class Requeued:
    """A failed picture that was put back: where it lay, and where it lies now."""

    source: Path
    target: Path


@dataclass(frozen=True, slots=True)
class NotRequeued:
    """A failed picture that could not be put back, and why. It lies where it lay."""

    source: Path
    problem: str


def requeue_files(
    failed: Path, inbox: Path, chosen: Collection[Path] = ()
) -> Iterator[Requeued | NotRequeued]:
    """Moves failed pictures back to the path in the inbox that they came from, and removes their sidecars.

    `chosen` names some pictures or folders below `failed`, by paths from the working directory or from
    `failed`; all are meant without it. Files without a sidecar were not put there by the daemon and stay.
    Nothing is overwritten: where a name is taken in the inbox, the picture gets a ULID before its suffix.
    May be repeated after a crash.
    """
    for found in _sidecars(failed, chosen):
        outcome = found if isinstance(found, NotRequeued) else _requeue(found, failed, inbox)
        if outcome is not None:
            yield outcome


def _sidecars(failed: Path, chosen: Collection[Path]) -> Iterator[Path | NotRequeued]:
    tops = dict.fromkeys([_top(failed, path) for path in chosen] or [failed])
    for top in tops:
        if isinstance(top, NotRequeued) or top.name.endswith(SIDECAR):
            yield top
        else:
            yield from _sidecars_below(top)


def _top(failed: Path, path: Path) -> Path | NotRequeued:
    """The folder that a chosen path names, or the sidecar of the picture that it names."""
    place = _below(failed, path)
    if place is None:
        return NotRequeued(path, f"it lies outside of {failed}: name what lies there")
    try:
        if place.is_dir():
            return place
        sidecars = (sidecar_of(place), place)  # a shell's * names both
        found = [one for one in sidecars if one.name.endswith(SIDECAR) and one.exists()]
    except OSError as error:
        return _unreadable(path, error)
    return found[0] if found else NotRequeued(path, f"no failed picture of that name lies in {failed}")


def _below(failed: Path, path: Path) -> Path | None:
    """As given where that lies below `failed` (what a shell completes), else from `failed` on."""
    for place in (path, failed / path):
        absolute = Path(os.path.abspath(place))  # noqa: PTH100 (absolute() keeps "..", resolve() no links)
        if absolute.is_relative_to(failed):
            return absolute
    return None


def _sidecars_below(top: Path) -> Iterator[Path | NotRequeued]:
    errors: list[OSError] = []
    for folder, _, names in os.walk(top, onerror=errors.append):
        yield from (Path(folder, name) for name in sorted(names) if name.endswith(SIDECAR))
    for error in errors:
        if not isinstance(error, FileNotFoundError):  # nothing has failed yet, or a folder is gone since
            yield _unreadable(Path(error.filename), error)


def _unreadable(path: Path, error: OSError) -> NotRequeued:
    return NotRequeued(path, f"{error.strerror}: give this user the right to read and to enter it")


def _requeue(sidecar: Path, failed: Path, inbox: Path) -> Requeued | NotRequeued | None:
    picture, relative = _described(sidecar, failed)
    try:
        if not picture.is_file() or picture.is_symlink():  # the daemon is about to move it here
            return None
    except OSError as error:
        return _unreadable(picture, error)
    try:
        target = _put_back(picture, inbox / relative)
        sidecar.unlink()
    except OSError as error:
        return NotRequeued(picture, f"{error.strerror}: check the rights and the space of {inbox}")
    return Requeued(picture, target)


def _described(sidecar: Path, failed: Path) -> tuple[Path, Path]:
    """The picture that a sidecar describes, and the path in the inbox that it came from; told by their names
    where somebody has changed the sidecar."""
    picture = sidecar.with_name(sidecar.name.removesuffix(SIDECAR))
    try:
        described = orjson.loads(sidecar.read_bytes())
        picture = sidecar.with_name(decode_path(described["file"]))
        relative = Path(decode_path(described["path"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return picture, picture.relative_to(failed)
    outside = relative.is_absolute() or ".." in relative.parts
    return picture, picture.relative_to(failed) if outside else relative


def _put_back(picture: Path, target: Path) -> Path:
    token = str(ULID())
    return move_where_seen(picture, target, token, beside(target, token))
