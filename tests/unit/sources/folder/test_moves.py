"""Moves on real files: nothing is overwritten, and whatever a crash leaves is made good by repeating."""

import errno
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from classifyd.sources.folder import moves
from classifyd.sources.folder.moves import move, move_where_seen, write_new

PICTURE = b"picture" * 1000


class Crash(BaseException):
    """The process ends here."""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "claimed" / "cat.jpg"
    path.parent.mkdir()
    path.write_bytes(PICTURE)
    return path


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "done" / "2026-01-31" / "sub" / "cat.jpg"


def ordinary(_monkeypatch: pytest.MonkeyPatch) -> None:
    """One file system with links."""


def without_links(monkeypatch: pytest.MonkeyPatch, code: int = errno.EPERM) -> None:
    """One file system that has no links."""

    def link(*_args: Any, **_kwargs: Any) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "link", link)


def across(monkeypatch: pytest.MonkeyPatch, links: bool = True) -> None:
    """Two file systems: what lies in `claimed` is on another one than all else."""
    link, rename, lstat = os.link, Path.rename, Path.lstat

    def crossing(one: Any, other: Any) -> bool:
        return ("claimed" in str(one)) != ("claimed" in str(other))

    def cross_link(one: Any, other: Any) -> None:
        if crossing(one, other):
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
        if not links:
            raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))
        link(one, other)

    def cross_rename(self: Path, other: Any) -> Any:
        if crossing(self, other):
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
        return rename(self, other)

    def cross_lstat(self: Path) -> Any:
        status = lstat(self)
        fields = {name: getattr(status, name) for name in dir(status) if name.startswith("st_")}
        return SimpleNamespace(**fields | {"st_dev": 1 if "claimed" in str(self) else 2})

    monkeypatch.setattr(os, "link", cross_link)
    monkeypatch.setattr(Path, "rename", cross_rename)
    monkeypatch.setattr(Path, "lstat", cross_lstat)


def across_without_links(monkeypatch: pytest.MonkeyPatch) -> None:
    across(monkeypatch, links=False)


WORLDS = [ordinary, without_links, across, across_without_links]
World = Callable[[pytest.MonkeyPatch], None]


@pytest.mark.parametrize("world", WORLDS)
def test_a_file_is_moved(monkeypatch: pytest.MonkeyPatch, world: World, source: Path, target: Path) -> None:
    os.utime(source, ns=(10**18, 10**18))
    world(monkeypatch)
    move(source, target, "TOKEN")
    assert target.read_bytes() == PICTURE
    assert target.stat().st_mtime_ns == 10**18
    assert not source.exists()
    assert list(target.parent.iterdir()) == [target]


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("content", [b"another", b"", PICTURE])
def test_a_taken_target_is_left_as_it_is(
    monkeypatch: pytest.MonkeyPatch, world: World, source: Path, target: Path, content: bytes
) -> None:
    target.parent.mkdir(parents=True)
    target.write_bytes(content)
    world(monkeypatch)
    try:
        move(source, target, "TOKEN")
    except FileExistsError:
        assert source.read_bytes() == PICTURE
    else:
        assert content == PICTURE, "only the very same content, after a copy, counts as moved"
        assert world in (across, across_without_links)
    assert target.read_bytes() == content


@pytest.mark.parametrize("world", WORLDS)
def test_a_target_that_appears_meanwhile_is_left_as_it_is(
    monkeypatch: pytest.MonkeyPatch, world: World, source: Path, target: Path
) -> None:
    target.parent.mkdir(parents=True)
    target.write_bytes(b"another")
    world(monkeypatch)
    monkeypatch.setattr(os.path, "lexists", lambda _path: False)
    with pytest.raises(FileExistsError):
        move(source, target, "TOKEN")
    assert (source.read_bytes(), target.read_bytes()) == (PICTURE, b"another")
    assert list(target.parent.iterdir()) == [target]


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("after", range(14))
def test_a_crash_after_any_system_call_is_made_good_by_repeating(
    world: World, source: Path, target: Path, after: int
) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch:
        world(monkeypatch)
        with pytest.MonkeyPatch.context() as dying:
            _crash_after(dying, after)
            with suppress(Crash):
                move(source, target, "TOKEN")
        copies = [path for path in (source, target) if path.exists() and path.read_bytes() == PICTURE]
        assert copies, "at every moment the picture is somewhere"
        if source.exists():
            move(source, target, "TOKEN")
    assert target.read_bytes() == PICTURE
    assert not source.exists()
    assert list(target.parent.iterdir()) == [target]


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("after", range(20))
def test_a_file_that_is_written_beside_it_again_after_a_crash_leaves_the_moved_one_as_it_is(
    world: World, source: Path, target: Path, after: int
) -> None:
    """Both steps use one temporary name: a copy that a crash left under it is the file at the target too."""
    beside = target.with_name("cat.jpg.error.json")

    def put() -> None:
        write_new(beside, b"{}", "TOKEN")
        move(source, target, "TOKEN")

    with pytest.MonkeyPatch.context() as monkeypatch:
        world(monkeypatch)
        with pytest.MonkeyPatch.context() as dying:
            _crash_after(dying, after)
            with suppress(Crash):
                put()
        if source.exists():
            put()
    assert target.read_bytes() == PICTURE
    assert beside.read_bytes() == b"{}"
    assert set(target.parent.iterdir()) == {target, beside}


def _crash_after(monkeypatch: pytest.MonkeyPatch, calls: int) -> None:
    """The process ends after so many calls that change the file system."""
    left = [calls]

    def dying(real: Any) -> Any:
        def call(*args: Any, **kwargs: Any) -> Any:
            if left[0] < 0:
                return None  # the process is gone: nothing that would clean up runs
            result = real(*args, **kwargs)
            left[0] -= 1
            if left[0] < 0:
                _die()
            return result

        return call

    def _die() -> None:
        raise Crash

    for owner, name in ((os, "link"), (os, "fsync"), (Path, "rename"), (Path, "unlink"), (Path, "mkdir")):
        monkeypatch.setattr(owner, name, dying(getattr(owner, name)))


def test_a_placeholder_that_a_crash_left_is_replaced_and_that_of_another_move_is_not(
    monkeypatch: pytest.MonkeyPatch, source: Path, target: Path
) -> None:
    without_links(monkeypatch)

    def dies(*_args: Any) -> None:
        raise Crash

    with pytest.MonkeyPatch.context() as dying:
        dying.setattr(Path, "rename", dies)
        with pytest.raises(Crash):
            move(source, target, "TOKEN")
    with pytest.raises(FileExistsError):
        move(source, target, "OTHER")
    move(source, target, "TOKEN")
    assert target.read_bytes() == PICTURE


class FullDisk:
    """A file that takes no byte."""

    def __init__(self, descriptor: int, _mode: str) -> None:
        self._descriptor = descriptor

    def __enter__(self) -> "FullDisk":
        return self

    def __exit__(self, *_args: object) -> None:
        os.close(self._descriptor)

    def write(self, _content: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")


def full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.fdopen
    monkeypatch.setattr(
        os, "fdopen", lambda descriptor, mode: (FullDisk if "w" in mode else real)(descriptor, mode)
    )


def test_a_placeholder_for_which_there_is_no_room_is_taken_away_again(
    monkeypatch: pytest.MonkeyPatch, source: Path, target: Path
) -> None:
    without_links(monkeypatch)
    with pytest.MonkeyPatch.context() as full:
        full_disk(full)
        for _ in range(2):
            with pytest.raises(OSError, match="No space"):
                move(source, target, "TOKEN")
            assert not target.exists()
    move(source, target, "TOKEN")
    assert target.read_bytes() == PICTURE


@pytest.mark.parametrize("world", [without_links, across_without_links])
@pytest.mark.parametrize("name", ["cat.TOKEN.jpg", "sub.TOKEN/cat.jpg"])
def test_an_unwritten_placeholder_is_known_by_the_token_in_its_path(
    monkeypatch: pytest.MonkeyPatch, world: World, source: Path, target: Path, name: str
) -> None:
    other = target.parent / name
    for path in (target, other):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    world(monkeypatch)
    with pytest.raises(FileExistsError):
        move(source, target, "TOKEN")  # an empty file of somebody's
    move(source, other, "TOKEN")
    assert (target.read_bytes(), other.read_bytes()) == (b"", PICTURE)
    assert not source.exists()


def test_a_file_of_another_content_is_nobodys_placeholder_whatever_its_name(
    monkeypatch: pytest.MonkeyPatch, source: Path, target: Path
) -> None:
    other = target.with_name("cat.TOKEN.jpg")
    other.parent.mkdir(parents=True)
    other.write_bytes(b"another")
    without_links(monkeypatch)
    with pytest.raises(FileExistsError):
        move(source, other, "TOKEN")
    assert other.read_bytes() == b"another"


def test_a_hard_link_at_the_target_is_the_same_file(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True)
    os.link(source, target)
    move(source, target, "TOKEN")
    assert not source.exists()
    assert target.read_bytes() == PICTURE


def test_a_symlink_at_the_target_is_not_followed(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True)
    target.symlink_to(source)
    with pytest.raises(FileExistsError):
        move(source, target, "TOKEN")
    assert source.read_bytes() == PICTURE


def test_a_file_in_place_of_a_folder_is_told(source: Path, target: Path) -> None:
    target.parent.parent.mkdir(parents=True)
    target.parent.write_bytes(b"a file")
    with pytest.raises(NotADirectoryError):
        move(source, target, "TOKEN")
    with pytest.raises(NotADirectoryError):
        write_new(target / "deeper", b"", "TOKEN")


def test_a_missing_source_is_told(source: Path, target: Path) -> None:
    source.unlink()
    with pytest.raises(FileNotFoundError):
        move(source, target, "TOKEN")
    assert not target.parents[2].exists(), "an inbox that is away would be made anew"


def test_an_error_that_may_pass_leaves_everything_as_it_was(
    monkeypatch: pytest.MonkeyPatch, source: Path, target: Path
) -> None:
    def link(*_args: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "link", link)
    with pytest.raises(OSError, match="No space"):
        move(source, target, "TOKEN")
    assert source.exists()
    assert not target.exists()


def test_a_copy_that_fails_leaves_nothing_behind(
    monkeypatch: pytest.MonkeyPatch, source: Path, target: Path
) -> None:
    across(monkeypatch)

    def copy(*_args: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(moves.shutil, "copyfileobj", copy)
    with pytest.raises(OSError, match="No space"):
        move(source, target, "TOKEN")
    with pytest.raises(OSError, match="No space"):
        move_where_seen(source, target, "TOKEN", target.with_name("cat.TOKEN.jpg"))
    assert list(target.parent.iterdir()) == []
    assert source.exists()


def test_a_copy_that_finds_no_place_where_others_look_leaves_nothing_behind(
    monkeypatch: pytest.MonkeyPatch, source: Path, target: Path
) -> None:
    across(monkeypatch, links=False)
    with pytest.MonkeyPatch.context() as refusing:

        def rename(*_args: Any) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        refusing.setattr(Path, "rename", rename)
        with pytest.raises(OSError, match="No space"):
            move_where_seen(source, target, "TOKEN", target.with_name("cat.TOKEN.jpg"))
    assert list(target.parent.iterdir()) == []
    assert source.read_bytes() == PICTURE


@pytest.mark.parametrize("world", [ordinary, without_links])
def test_a_new_file_is_written_whole_once(
    monkeypatch: pytest.MonkeyPatch, world: World, target: Path
) -> None:
    world(monkeypatch)
    write_new(target, b"content", "TOKEN")
    write_new(target, b"content", "TOKEN")
    with pytest.raises(FileExistsError):
        write_new(target, b"other", "TOKEN")
    assert target.read_bytes() == b"content"
    assert list(target.parent.iterdir()) == [target]


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("taken", [False, True])
def test_where_others_look_no_placeholder_is_ever_seen(
    monkeypatch: pytest.MonkeyPatch, world: World, source: Path, target: Path, taken: bool
) -> None:
    other = target.with_name("cat.TOKEN.jpg")
    if taken:
        target.parent.mkdir(parents=True)
        target.write_bytes(b"another")
    world(monkeypatch)
    monkeypatch.setattr(moves, "_replace_placeholder", None)
    place = move_where_seen(source, target, "TOKEN", other)
    linked = world in (ordinary, across)
    assert place == (target if linked and not taken else other)
    assert place.read_bytes() == PICTURE
    assert not source.exists()
    assert not taken or target.read_bytes() == b"another"
    assert set(target.parent.iterdir()) == ({place, target} if taken else {place})


def test_where_others_look_an_error_that_may_pass_leaves_everything_as_it_was(
    monkeypatch: pytest.MonkeyPatch, source: Path, target: Path
) -> None:
    without_links(monkeypatch, errno.ENOSPC)
    with pytest.raises(OSError, match="No space"):
        move_where_seen(source, target, "TOKEN", target)
    assert source.exists()


@pytest.mark.parametrize("world", [ordinary, without_links])
@pytest.mark.parametrize("after", range(9))
def test_a_crash_while_a_new_file_is_written_is_made_good_by_repeating(
    world: World, target: Path, after: int
) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch:
        world(monkeypatch)
        with pytest.MonkeyPatch.context() as dying:
            _crash_after(dying, after)
            with suppress(Crash):
                write_new(target, b"content", "TOKEN")
        write_new(target, b"content", "TOKEN")
    assert target.read_bytes() == b"content"
    assert list(target.parent.iterdir()) == [target], "no temporary file is left behind"


def test_a_new_file_for_which_there_is_no_room_leaves_nothing_behind(
    monkeypatch: pytest.MonkeyPatch, target: Path
) -> None:
    full_disk(monkeypatch)
    with pytest.raises(OSError, match="No space"):
        write_new(target, b"content", "TOKEN")
    assert list(target.parent.iterdir()) == []


@pytest.mark.parametrize("copied", [False, True], ids=["at once", "repeated after a crash"])
@pytest.mark.parametrize("world", [across, across_without_links])
def test_a_copy_is_on_its_disk_before_the_original_goes(
    monkeypatch: pytest.MonkeyPatch, world: World, source: Path, target: Path, copied: bool
) -> None:
    """Or a power loss could take both."""
    world(monkeypatch)
    if copied:
        target.parent.mkdir(parents=True)
        target.write_bytes(PICTURE)
    done: list[Path | int] = []
    unlink, fsync = Path.unlink, os.fsync

    def synced(descriptor: int) -> None:
        fsync(descriptor)
        done.append(os.fstat(descriptor).st_ino)

    def unlinked(self: Path, missing_ok: bool = False) -> None:
        unlink(self, missing_ok=missing_ok)
        done.append(self)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "unlink", unlinked)
    move(source, target, "TOKEN")
    assert done[-1] == source
    assert target.parent.stat().st_ino in done[:-1]
