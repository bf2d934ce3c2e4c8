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

    `chosen` names some pictures or folders below `failed`; all are meant without it. Files without a
    sidecar were not put there by the daemon and stay. Nothing is overwritten: where a name is taken in the
    inbox, the picture gets a ULID before its suffix. May be repeated after a crash.
    """
    for sidecar in _sidecars([failed / path for path in chosen] or [failed]):
        picture, relative = _described(sidecar, failed)
        if not picture.is_file() or picture.is_symlink():  # the daemon is about to move it here
            continue
        try:
            target = _put_back(picture, inbox / relative)
            sidecar.unlink()
        except OSError as error:
            yield NotRequeued(picture, f"{error.strerror}: check the rights and the space of {inbox}")
        else:
            yield Requeued(picture, target)


def _sidecars(tops: Collection[Path]) -> Iterator[Path]:
    for top in tops:
        if top.is_dir():
            for folder, _, names in os.walk(top):
                yield from (Path(folder, name) for name in sorted(names) if name.endswith(SIDECAR))
        elif sidecar_of(top).exists():
            yield sidecar_of(top)


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
