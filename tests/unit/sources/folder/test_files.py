import errno
import os
from pathlib import Path
from typing import Any

import pytest

from classifyd.sources.folder.files import UNKNOWN, FileChanged, Fingerprint, glance, look, read

CONTENT = b"picture" * 100


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "cat.jpg"
    path.write_bytes(CONTENT)
    return path


def seen(path: Path) -> Fingerprint:
    found = look(path)
    assert found is not None
    return found


def test_a_file_is_read_whole_although_the_system_gives_it_in_pieces(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = os.read
    monkeypatch.setattr(os, "read", lambda descriptor, size: whole(descriptor, min(size, 64)))
    assert read(path, seen(path), 1 << 20) == CONTENT


def test_a_file_over_the_limit_is_opened_and_not_read(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "read", None)
    assert read(path, seen(path), len(CONTENT) - 1) == b""


def grow(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more")


def shrink(path: Path) -> None:
    os.truncate(path, 10)


def rewrite(path: Path) -> None:
    path.write_bytes(CONTENT[::-1])
    os.utime(path, ns=(1, 1))


def replace(path: Path) -> None:
    (path.parent / "new").write_bytes(CONTENT)
    (path.parent / "new").rename(path)


def to_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize("change", [grow, shrink, rewrite, replace, to_pipe])
def test_a_file_that_changed_before_it_is_read_is_not_taken(path: Path, change: Any) -> None:
    before = seen(path)
    change(path)
    with pytest.raises(FileChanged):
        read(path, before, 1 << 20)


def test_a_file_that_ends_while_it_is_read_is_not_taken(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before, whole = seen(path), os.read

    def shrinking(descriptor: int, size: int) -> bytes:
        data = whole(descriptor, min(size, 64))
        shrink(path)
        return data

    monkeypatch.setattr(os, "read", shrinking)
    with pytest.raises(FileChanged):
        read(path, before, 1 << 20)


def test_a_link_is_not_followed(path: Path) -> None:
    before = seen(path)
    link = path.with_name("link.jpg")
    link.symlink_to(path)
    with pytest.raises(OSError, match="symbolic") as refused:
        read(link, before, 1 << 20)
    assert refused.value.errno == errno.ELOOP


def test_what_is_no_regular_file_has_no_fingerprint(path: Path) -> None:
    link = path.with_name("link.jpg")
    link.symlink_to(path)
    for other in (link, path.parent, path / "below", path.with_name("missing")):
        assert look(other) is None
        assert glance(other) is None


def test_what_cannot_be_looked_at_is_unlike_any_other(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def lstat(_path: Path) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    found = seen(path)
    monkeypatch.setattr(os, "lstat", lstat)
    with pytest.raises(PermissionError):
        look(path)
    assert glance(path) is UNKNOWN
    assert found != UNKNOWN
