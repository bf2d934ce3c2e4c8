"""What is done with a file once its outcome is committed. Everything here may be repeated after a crash."""

import errno
from pathlib import Path

import orjson

from classifyd.core.names import decode_path, encode_path
from classifyd.core.times import utc_text
from classifyd.core.values import Rejected, Result
from classifyd.crashpoints import Point, reached
from classifyd.sources.folder.claims import Taken, remove_empty
from classifyd.sources.folder.files import present
from classifyd.sources.folder.layout import Layout
from classifyd.sources.folder.moves import move, write_new
from classifyd.sources.folder.shelf import Shelf, beside, sidecar_of
from classifyd.sources.folder.underway import UnderWay
from classifyd.telemetry import folder as events


class Settler:
    """Moves or deletes claimed files as their recorded results ask."""

    def __init__(self, layout: Layout, shelf: Shelf, under_way: UnderWay) -> None:
        self._layout = layout
        self._shelf = shelf
        self._under_way = under_way

    def settle(self, taken: Taken, result: Result) -> None:
        """Puts the file where the recorded result says. Raises OSError when it cannot now: try again."""
        if taken.claimed:
            reached(Point.MOVE_BEGUN)
            place = self._place(taken, result)
            if place is None:
                Path(taken.path).unlink(missing_ok=True)
                reached(Point.FILE_DELETED)
            elif not self._moved(taken, place, result):
                self._miss(taken, place, result)
            if self._under_way.last_of_claim(taken):
                remove_empty(taken.path, self._layout)
                reached(Point.CLAIM_FOLDER_REMOVED)

    def _moved(self, taken: Taken, place: str, result: Result) -> bool:
        """Moves it; False when it does not lie where it was claimed, as after a crash."""
        if isinstance(result.outcome, Rejected) and not present(taken.path):
            return False  # before its sidecar is written once more
        try:
            self._put(taken, place, result)
        except FileNotFoundError:
            if present(taken.path):
                raise
            return False
        reached(Point.FILE_MOVED)
        return True

    def _miss(self, taken: Taken, place: str, result: Result) -> None:
        if not (present(place) or present(beside(Path(place), result.id))):
            self._layout.inbox.stat()  # raises while all of it is away: what it holds may come back
            events.emit(events.ClaimVanished(origin=taken.key, path=encode_path(taken.path)))

    def _place(self, taken: Taken, result: Result) -> str | None:
        if result.stored_path is None:
            return self._shelf.place(taken, result)
        try:
            return decode_path(result.stored_path)
        except ValueError as error:
            raise OSError(errno.EINVAL, f"its recorded place is none: {error}") from error

    def _put(self, taken: Taken, place: str, result: Result) -> None:
        try:
            self._put_at(taken, place, result)
        except (FileExistsError, NotADirectoryError):
            other = str(beside(Path(place), result.id))
            self._put_at(taken, other, result)
            events.emit(
                events.StoredElsewhere(origin=taken.key, recorded=encode_path(place), path=encode_path(other))
            )

    def _put_at(self, taken: Taken, place: str, result: Result) -> None:
        if isinstance(result.outcome, Rejected):
            sidecar = describe(result, result.outcome, Path(place))
            write_new(sidecar_of(Path(place)), sidecar, result.id)
            reached(Point.SIDECAR_WRITTEN)
        try:
            move(taken.path, place, result.id)
        except FileExistsError:
            if isinstance(result.outcome, Rejected):
                sidecar_of(Path(place)).unlink()
                reached(Point.SIDECAR_WITHDRAWN)
            raise


def describe(result: Result, outcome: Rejected, place: Path) -> bytes:
    """The sidecar of a rejected picture at its place: the same bytes however often it is written."""
    return orjson.dumps(
        {
            "id": result.id,
            "origin": result.origin.key,
            "name": result.origin.name,
            "path": result.origin.path,
            "file": encode_path(place.name),
            "reason": outcome.reason,
            "detail": outcome.detail,
            "sha256": result.sha256,
            "size_bytes": result.size_bytes,
            "received_at": utc_text(result.received_at),
            "classified_at": utc_text(result.classified_at),
        },
        option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE,
    )
