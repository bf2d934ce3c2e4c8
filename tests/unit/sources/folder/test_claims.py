import errno
import itertools
import os
from pathlib import Path
from typing import Any

import pytest

from classifyd.sources.folder import claims as claiming
from classifyd.sources.folder import locks
from classifyd.sources.folder.claims import FILES_PER_CLAIM, Claims, kept, remove_empty
from classifyd.sources.folder.files import Fingerprint, present
from classifyd.sources.folder.layout import Layout
from classifyd.sources.folder.locks import InstanceLock, LocksMissing


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    (tmp_path / "inbox" / ".classifyd").mkdir(parents=True)
    return Layout(tmp_path / "inbox")


def make_claims(layout: Layout, instance: str = "ONE") -> Claims:
    numbers = itertools.count(1)
    return Claims(layout, instance, lambda: f"{instance}-{next(numbers)}")


def drop(layout: Layout, relative: str) -> None:
    path = layout.inbox / relative
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(relative.encode("utf-8", "surrogateescape"))


def never(claims: Path, error: OSError) -> None:
    """All claims are within reach."""
    raise AssertionError(f"{claims}: {error}")


def test_a_claimed_file_lies_under_its_claim_and_its_key_says_so(layout: Layout) -> None:
    drop(layout, "sub/100%\n.jpg")
    taken = make_claims(layout).claim("sub/100%\n.jpg")
    assert taken.key == "folder:ONE-1/sub/100%25%0A.jpg"
    assert (taken.origin.name, taken.origin.path) == ("100%25%0A.jpg", "sub/100%25%0A.jpg")
    assert taken.path == f"{layout.claims_of('ONE')}/ONE-1/sub/100%\n.jpg"
    assert present(taken.path)
    assert not (layout.inbox / "sub/100%\n.jpg").exists()


def test_a_claim_takes_a_path_once_and_a_limited_number_of_files(layout: Layout) -> None:
    claims = make_claims(layout)
    keys = []
    for _ in range(3):
        drop(layout, "cat.jpg")
        keys.append(claims.claim("cat.jpg").key)
    for number in range(FILES_PER_CLAIM + 1):
        drop(layout, f"{number}.jpg")
        keys.append(claims.claim(f"{number}.jpg").key)
    assert len(set(keys)) == len(keys)
    assert {key.split("/")[0] for key in keys} == {f"folder:ONE-{number}" for number in (1, 2, 3, 4)}


def test_a_file_and_a_folder_of_one_name_get_claims_of_their_own(layout: Layout) -> None:
    claims = make_claims(layout)
    drop(layout, "a.jpg")
    claims.claim("a.jpg")
    (layout.inbox / "a.jpg").unlink(missing_ok=True)
    drop(layout, "a.jpg/b.jpg")
    inner = claims.claim("a.jpg/b.jpg")
    (layout.inbox / "a.jpg").rmdir()
    drop(layout, "a.jpg")
    outer = claims.claim("a.jpg")
    assert present(inner.path)
    assert present(outer.path)


def test_names_that_the_file_system_takes_for_one_get_claims_of_their_own(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = os.rename

    def folded(path: Any) -> str:
        """Claims on a file system that tells no case."""
        return str(path).lower().replace(str(layout.claimed).lower(), str(layout.claimed))

    monkeypatch.setattr(os, "rename", lambda source, target: rename(source, folded(target)))
    monkeypatch.setattr(claiming, "present", lambda path: present(Path(folded(path))))
    claims = make_claims(layout, "one")
    keys = []
    for name in ("cat.jpg", "CAT.jpg"):
        drop(layout, name)
        keys.append(claims.claim(name).key)
    assert keys == ["folder:one-1/cat.jpg", "folder:one-2/CAT.jpg"]
    assert [file.read_text() for file in sorted(layout.claimed.rglob("*.jpg"))] == ["cat.jpg", "CAT.jpg"]


def test_the_loser_of_a_rename_is_told_that_the_file_is_gone(layout: Layout) -> None:
    drop(layout, "cat.jpg")
    make_claims(layout, "TWO").claim("cat.jpg")
    with pytest.raises(FileNotFoundError):
        make_claims(layout).claim("cat.jpg")


def test_a_rename_that_was_done_although_it_failed_is_not_overwritten(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = os.rename

    def late(source: Any, target: Any) -> None:
        """NFS, after the server's answer was lost."""
        rename(source, target)
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), source)

    claims = make_claims(layout)
    drop(layout, "dog.jpg")
    claims.claim("dog.jpg")
    drop(layout, "cat.jpg")
    with monkeypatch.context() as failing:
        failing.setattr(os, "rename", late)
        with pytest.raises(FileNotFoundError):
            claims.claim("cat.jpg")
    drop(layout, "cat.jpg")
    claims.claim("cat.jpg")
    assert len(list(layout.claimed.rglob("cat.jpg"))) == 2


def test_a_claim_folder_that_the_mover_removed_meanwhile_is_made_again(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    claims = make_claims(layout)
    drop(layout, "cat.jpg")
    first = claims.claim("cat.jpg")
    Path(first.path).unlink()
    remove_empty(first.path, layout)
    assert list(layout.claims_of("ONE").iterdir()) == []
    drop(layout, "dog.jpg")
    assert present(claims.claim("dog.jpg").path)


def test_a_claim_folder_that_keeps_vanishing_is_an_error_and_no_endless_loop(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Claims, "_make_parent", lambda _self, _target: None)
    drop(layout, "cat.jpg")
    with pytest.raises(OSError, match="vanishing"):
        make_claims(layout).claim("cat.jpg")


def test_what_an_earlier_life_claimed_is_found_with_the_same_keys(layout: Layout) -> None:
    names = ["cat.jpg", "a/b/dog.jpg", "\udce9.jpg"]
    claims = make_claims(layout)
    for name in names:
        drop(layout, name)
    taken = [claims.claim(name) for name in names]
    assert sorted(Claims(layout, "ONE").left_behind(), key=lambda file: file.key) == sorted(
        taken, key=lambda file: file.key
    )


def test_claims_are_taken_over_from_the_dead_and_not_from_the_living(layout: Layout) -> None:
    for instance in ("DEAD", "LIVE"):
        drop(layout, f"{instance}.jpg")
        make_claims(layout, instance).claim(f"{instance}.jpg")
    lock = InstanceLock.take(layout.lock_of("LIVE"))
    assert lock is not None
    mine = make_claims(layout)
    taken = mine.take_over(never)
    assert {instance: [file.key for file in files] for instance, files in taken.items()} == {
        "DEAD": ["folder:DEAD-1/DEAD.jpg"]
    }
    (file,) = taken["DEAD"]
    assert file.path == str(layout.claims_of("ONE") / "DEAD-1" / "DEAD.jpg")
    assert present(file.path)
    assert mine.take_over(never) == {}
    assert (layout.claims_of("LIVE") / "LIVE-1" / "LIVE.jpg").exists()
    assert not layout.claims_of("DEAD").exists()
    lock.release()


def locks_of_another_user(monkeypatch: pytest.MonkeyPatch, flags: int) -> None:
    """Lock files that may not be opened in these ways."""
    real = os.open

    def refuse(path: Any, asked: int, *args: Any) -> int:
        if asked & os.O_ACCMODE in (flags, os.O_RDWR):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return real(path, asked, *args)

    monkeypatch.setattr(locks.os, "open", refuse)


def test_locks_of_another_user_tell_the_dead_from_the_living(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    for instance in ("DEAD", "LIVE"):
        drop(layout, f"{instance}.jpg")
        make_claims(layout, instance).claim(f"{instance}.jpg")
        layout.lock_of(instance).touch()
    lock = InstanceLock.take(layout.lock_of("LIVE"))
    assert lock is not None
    locks_of_another_user(monkeypatch, os.O_RDWR)
    assert list(make_claims(layout).take_over(never)) == ["DEAD"]
    lock.release()


def test_a_lock_that_may_not_even_be_read_is_told_and_its_claims_stay(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    drop(layout, "cat.jpg")
    taken = make_claims(layout, "TWO").claim("cat.jpg")
    layout.lock_of("TWO").touch()
    locks_of_another_user(monkeypatch, os.O_RDONLY)
    told: list[tuple[Path, int | None]] = []
    assert make_claims(layout).take_over(lambda path, error: told.append((path, error.errno))) == {}
    assert told == [(layout.claims_of("TWO"), errno.EACCES)]
    assert present(taken.path)


def test_a_claim_that_cannot_be_renamed_keeps_no_other_from_being_taken_over(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    for instance in ("AAA", "TWO"):
        claims = make_claims(layout, instance)
        for _ in range(2):
            drop(layout, "cat.jpg")
            claims.claim("cat.jpg")
    real = Path.rename

    def refuse(self: Path, target: Any) -> Any:
        if self.name == "AAA-2":
            raise PermissionError(errno.EACCES, "Permission denied", str(self))
        return real(self, target)

    monkeypatch.setattr(Path, "rename", refuse)
    told: list[Path] = []
    found = make_claims(layout).take_over(lambda path, _error: told.append(path))
    assert {instance: [file.key for file in files] for instance, files in found.items()} == {
        "AAA": ["folder:AAA-1/cat.jpg"],
        "TWO": ["folder:TWO-1/cat.jpg", "folder:TWO-2/cat.jpg"],
    }
    assert told == [layout.claims_of("AAA")]
    lock = InstanceLock.take(layout.lock_of("AAA"))
    assert lock is not None, "it is not kept locked"
    lock.release()


def test_claims_that_cannot_be_listed_are_told(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Any) -> Any:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(os, "scandir", refuse)
    told: list[Path] = []
    assert make_claims(layout).take_over(lambda path, _error: told.append(path)) == {}
    assert told == [layout.claimed]


def unlistable(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Folders of this name cannot be listed, as on a disk that fails."""
    scandir = os.scandir

    def refuse(path: Any) -> Any:
        if Path(path).name == name:
            raise OSError(errno.EIO, "Input/output error", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)


def test_a_folder_in_a_claim_that_cannot_be_listed_is_told(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    drop(layout, "sub/cat.jpg")
    make_claims(layout).claim("sub/cat.jpg")
    unlistable(monkeypatch, "sub")
    with pytest.raises(OSError, match="Input/output"):
        list(Claims(layout, "ONE").left_behind())


def test_a_claim_that_cannot_be_listed_stays_where_it_is_tried_again(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    drop(layout, "sub/cat.jpg")
    make_claims(layout, "DEAD").claim("sub/cat.jpg")
    mine = make_claims(layout)
    told: list[Path] = []
    with monkeypatch.context() as failing:
        unlistable(failing, "sub")
        assert mine.take_over(lambda path, _error: told.append(path)) == {}
    assert told == [layout.claims_of("DEAD")]
    assert [file.key for file in mine.take_over(never)["DEAD"]] == ["folder:DEAD-1/sub/cat.jpg"]


def test_where_nobody_can_tell_who_lives_nothing_is_taken_over(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    drop(layout, "cat.jpg")
    make_claims(layout, "TWO").claim("cat.jpg")

    def flock(*_args: Any) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(locks.fcntl, "flock", flock)
    assert make_claims(layout).take_over(never) == {}
    with pytest.raises(LocksMissing):
        InstanceLock.take(layout.lock_of("ONE"))


def test_a_lock_that_fails_otherwise_is_an_error(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    def flock(*_args: Any) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(locks.fcntl, "flock", flock)
    with pytest.raises(OSError, match="Input"):
        InstanceLock.take(layout.lock_of("ONE"))


def test_a_lock_is_intact_until_its_file_is_replaced(layout: Layout) -> None:
    lock = InstanceLock.take(layout.lock_of("ONE"))
    assert lock is not None
    assert lock.intact
    layout.lock_of("ONE").unlink()
    assert not lock.intact
    layout.lock_of("ONE").touch()
    assert not lock.intact
    lock.release()


def test_empty_claim_folders_go_and_others_stay(layout: Layout) -> None:
    claims = make_claims(layout)
    for name in ("a/b/cat.jpg", "a/dog.jpg"):
        drop(layout, name)
    cat, dog = claims.claim("a/b/cat.jpg"), claims.claim("a/dog.jpg")
    Path(cat.path).unlink()
    remove_empty(cat.path, layout)
    assert not Path(cat.path).parent.exists()
    assert present(dog.path)
    Path(dog.path).unlink()
    remove_empty(dog.path, layout)
    assert os.listdir(layout.claims_of("ONE")) == []  # noqa: PTH208
    remove_empty(str(layout.inbox / "elsewhere.jpg"), layout)
    assert layout.inbox.exists()


def test_a_kept_file_is_another_origin_when_it_changes(layout: Layout) -> None:
    one, other = (kept(str(layout.inbox), "a b.jpg", Fingerprint(10, mtime, 1)) for mtime in (5, 6))
    assert one.key == f"file:{layout.inbox}/a b.jpg:10:5"
    assert one.key != other.key
    assert not one.claimed


def test_empty_folders_that_a_crash_left_are_removed(layout: Layout) -> None:
    (layout.claims_of("ONE") / "OLD" / "a" / "b").mkdir(parents=True)
    (layout.claims_of("ONE") / "FULL" / "a").mkdir(parents=True)
    (layout.claims_of("ONE") / "FULL" / "a" / "cat.jpg").touch()
    assert [file.relative for file in make_claims(layout).left_behind()] == ["a/cat.jpg"]
    assert [path.name for path in layout.claims_of("ONE").iterdir()] == ["FULL"]
