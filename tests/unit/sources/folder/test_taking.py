import hashlib
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from classifyd.core.gate import Limits
from classifyd.core.values import Reason
from classifyd.sources.folder.claims import Claims, Taken, kept
from classifyd.sources.folder.files import UNKNOWN, FileChanged, Fingerprint, look
from classifyd.sources.folder.layout import Layout
from classifyd.sources.folder.taking import ChangedInClaim, StillIncomplete, Taker
from verification.kit.pictures import jpeg

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
PICTURE = jpeg("red", (48, 32))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "inbox" / "cat.jpg"
    path.parent.mkdir()
    path.write_bytes(PICTURE)
    return path


def seen(path: Path) -> Fingerprint:
    found = look(path)
    assert found is not None
    return found


def claim(path: Path) -> Callable[[], Taken]:
    claims = Claims(Layout(path.parent), "ONE", lambda: "C1")
    return lambda: claims.claim(path.name)


def taker(max_bytes: int = 1 << 20) -> Taker:
    return Taker(Limits(max_bytes=max_bytes), lambda: NOW)


def never() -> bool:
    return False


@pytest.mark.parametrize(
    ("fingerprint", "held"),
    [
        (Fingerprint(100, 1, 1), 100),
        (Fingerprint(101, 1, 1), 0),
        (UNKNOWN, 0),  # less would be taken from the credits of others
    ],
    ids=["usual", "too-large", "unknown"],
)
def test_credit_is_asked_for_the_bytes_that_will_be_held(fingerprint: Fingerprint, held: int) -> None:
    assert taker(100).credit(fingerprint) == held


def test_a_picture_has_the_origin_of_its_claim(path: Path) -> None:
    picture = taker().take(str(path), seen(path), never, claim(path))
    image = picture.image
    assert (image.data, image.sha256) == (PICTURE, hashlib.sha256(PICTURE).hexdigest())
    assert (image.size_bytes, image.width, image.height, image.received_at) == (len(PICTURE), 48, 32, NOW)
    assert (image.origin.key, image.origin.name, image.origin.path) == (
        "folder:C1/cat.jpg",
        "cat.jpg",
        "cat.jpg",
    )
    assert picture.refusal is None
    assert Path(picture.taken.path).read_bytes() == PICTURE


def test_a_picture_that_is_too_large_is_taken_unread(path: Path) -> None:
    picture = taker(len(PICTURE) - 1).take(str(path), seen(path), never, claim(path))
    assert picture.refusal is not None
    assert picture.refusal.reason is Reason.TOO_LARGE
    assert (picture.image.data, picture.image.sha256, picture.image.size_bytes) == (b"", None, len(PICTURE))


def test_a_picture_without_its_end_is_left_unless_it_will_not_come_any_more(path: Path) -> None:
    path.write_bytes(PICTURE[:-2])
    with pytest.raises(StillIncomplete):
        taker().take(str(path), seen(path), never, claim(path))
    assert path.exists()
    picture = taker().take(str(path), seen(path), lambda: True, claim(path))
    assert picture.refusal is not None
    assert picture.refusal.reason is Reason.TRUNCATED


def grow(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more")


def rewrite(path: Path) -> None:
    path.write_bytes(PICTURE[::-1])
    os.utime(path, ns=(1, 1))


def replace(path: Path) -> None:
    status = path.stat()
    (path.parent / "new").write_bytes(PICTURE)
    os.utime(path.parent / "new", ns=(status.st_atime_ns, status.st_mtime_ns))
    (path.parent / "new").rename(path)


@pytest.mark.parametrize("change", [grow, rewrite, replace])
def test_what_changes_after_it_was_read_is_not_what_was_taken(
    path: Path, change: Callable[[Path], None]
) -> None:
    fingerprint, claimed = seen(path), claim(path)

    def changed_and_claimed() -> Taken:
        change(path)
        return claimed()

    with pytest.raises(ChangedInClaim) as changed:
        taker().take(str(path), fingerprint, never, changed_and_claimed)
    assert Path(changed.value.taken.path).exists()


@pytest.mark.parametrize("change", [grow, rewrite, replace])
def test_what_changes_while_it_is_read_is_not_what_was_taken(
    path: Path, change: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that stays in the inbox is tried again, too."""
    fingerprint, whole = seen(path), os.read

    def read(descriptor: int, size: int) -> bytes:
        data = whole(descriptor, size)
        change(path)
        return data

    monkeypatch.setattr(os, "read", read)
    with pytest.raises(FileChanged):
        taker().take(str(path), fingerprint, never, lambda: kept(str(path.parent), path.name, fingerprint))
