"""Which events become which hints; and the code path of systems without inotify."""

import errno
import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from watchdog.events import (
    DirCreatedEvent,
    DirMovedEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileMovedEvent,
    FileSystemEvent,
)
from watchdog.observers.inotify_c import InotifyEvent, InotifyFD

from classifyd.sources.folder import inotify
from classifyd.sources.folder.hints import Hints, Noted
from classifyd.sources.folder.watcher import Watcher, WatchesExhausted


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    (tmp_path / "real").mkdir()
    (tmp_path / "inbox").symlink_to("real")
    return tmp_path / "inbox"


@pytest.fixture
def hints() -> Hints:
    return Hints()


@pytest.fixture
def watcher(inbox: Path, hints: Hints) -> Iterator[Watcher]:
    watcher = Watcher(inbox, True, hints)
    yield watcher
    watcher.close()


@pytest.mark.parametrize(
    ("event", "noted"),
    [
        (FileClosedEvent("{}/a.jpg"), Noted(frozenset({"a.jpg"}), {"": False})),
        (FileMovedEvent("", "{}/sub/a.jpg"), Noted(frozenset({"sub/a.jpg"}), {"sub": False})),
        (FileMovedEvent("{}/.tmp", "{}/a.jpg"), Noted(frozenset({"a.jpg"}), {"": False})),
        (FileMovedEvent("{}/a.jpg", "{}/.classifyd/claimed/a.jpg"), Noted()),
        (FileCreatedEvent("{}/sub/a.jpg"), Noted(frozenset(), {"sub": False})),
        (DirCreatedEvent("{}/sub"), Noted(frozenset(), {"sub": True})),
        (DirMovedEvent("", "{}/sub"), Noted(frozenset(), {"sub": True})),
        (FileClosedEvent("{}/.classifyd/ONE.lock"), Noted()),
        (FileClosedEvent("/elsewhere/a.jpg"), Noted(frozenset(), {"": True})),
    ],
)
def test_events_become_hints_under_the_inboxs_own_name(
    watcher: Watcher, hints: Hints, inbox: Path, event: FileSystemEvent, noted: Noted
) -> None:
    real = str(inbox.resolve())
    kind: Any = type(event)
    paths = [path.format(real) for path in (event.src_path, event.dest_path)]
    watcher.dispatch(kind(paths[0], paths[1]) if event.dest_path or not event.src_path else kind(paths[0]))
    found = hints.take()
    assert found.closed == {str(inbox / path) for path in noted.closed}
    assert found.folders == {str(inbox / path).rstrip("/"): deep for path, deep in noted.folders.items()}
    assert found.missed == noted.missed


def test_where_there_is_no_inotify_the_systems_own_observer_is_used(
    inbox: Path, hints: Hints, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    watcher = Watcher(inbox, True, hints)
    try:
        assert not isinstance(watcher._observer, inotify.TellingObserver)
        (inbox / "a.jpg").write_bytes(b"x")
        hints.wait(10.0)
        assert str(inbox) in hints.take().folders
        assert watcher.broken is None
    finally:
        watcher.close()
    assert watcher.broken == "the watcher has ended"


@pytest.mark.parametrize("code", [errno.EMFILE, errno.EACCES])
def test_a_system_that_gives_no_observer_is_told_from_one_that_fails(
    inbox: Path, hints: Hints, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def refuse(*_args: Any) -> None:
        raise OSError(code, "no")

    monkeypatch.setattr(inotify, "TellingObserver", refuse)
    with pytest.raises(WatchesExhausted if code == errno.EMFILE else PermissionError):
        Watcher(inbox, True, hints)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EACCES])
def test_an_inbox_that_cannot_be_watched_leaves_no_thread_behind(
    inbox: Path, hints: Hints, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def refuse(self: Any, path: bytes) -> None:
        raise OSError(code, "no")

    before = set(threading.enumerate())
    monkeypatch.setattr(inotify._WatchGroup, "_watch", refuse)
    with pytest.raises(WatchesExhausted if code == errno.ENOSPC else PermissionError):
        Watcher(inbox, True, hints)
    assert set(threading.enumerate()) <= before


linux = pytest.mark.skipif(sys.platform != "linux", reason="inotify is Linux's")


def written(hints: Hints, path: Path, again: bool = False) -> None:
    """Writes a file and waits until it is told of; `again` and again where nobody may be watching yet."""
    deadline = time.monotonic() + 20.0
    path.write_bytes(b"x")
    while str(path) not in hints.take().closed:
        assert time.monotonic() < deadline, f"nothing was told of {path}"
        hints.wait(0.1)
        if again:
            path.write_bytes(b"x")


@linux
def test_what_leaves_a_folder_is_no_event(
    watcher: Watcher, hints: Hints, inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every claim would be one."""
    written(hints, inbox / "a.jpg")
    told: list[InotifyEvent] = []
    handle = InotifyFD.handle_event
    monkeypatch.setattr(
        InotifyFD, "handle_event", lambda reader, event: (told.append(event), handle(reader, event))
    )
    (inbox / "a.jpg").rename(inbox.parent / "a.jpg")
    written(hints, inbox / "b.jpg")
    assert {event.name for event in told} == {b"b.jpg"}


@linux
def test_a_folder_that_is_moved_is_watched_where_it_is_now(
    watcher: Watcher, hints: Hints, inbox: Path
) -> None:
    (inbox / "a" / "sub").mkdir(parents=True)
    written(hints, inbox / "a" / "sub" / "0.jpg", again=True)
    for number, (old, new) in enumerate([("a", "b"), ("b", "a"), ("a", "c")]):
        (inbox / old).rename(inbox / new)
        written(hints, inbox / new / "sub" / f"{number}.jpg")
    (inbox / "a").mkdir()
    written(hints, inbox / "a" / "0.jpg", again=True)
    assert watcher.broken is None


@linux
def test_a_folder_that_is_moved_leaves_nothing_behind(watcher: Watcher, hints: Hints, inbox: Path) -> None:
    (emitter,) = watcher._observer.emitters
    group = emitter._inotify
    for number in range(3):
        (inbox / "a").mkdir()
        written(hints, inbox / "a" / "0.jpg", again=True)
        (inbox / "a").rename(inbox / f"b{number}")
        written(hints, inbox / f"b{number}" / "1.jpg")
    assert sorted(group._active_callbacks_by_path) == sorted(group._active_callbacks_by_watch.values())
    assert os.fsencode(inbox.resolve() / "a") not in group._active_callbacks_by_path


@linux
def test_a_folder_that_was_moved_out_and_made_again_may_be_deleted(
    watcher: Watcher, hints: Hints, inbox: Path
) -> None:
    (inbox / "a").mkdir()
    written(hints, inbox / "a" / "0.jpg", again=True)
    (inbox / "a").rename(inbox.parent / "a")
    (inbox / "a").mkdir()
    written(hints, inbox / "a" / "0.jpg", again=True)
    for folder in (inbox, inbox.parent):
        (folder / "a" / "0.jpg").unlink()
        (folder / "a").rmdir()
    written(hints, inbox / "1.jpg")
    assert watcher.broken is None


@linux
def test_what_happens_in_a_folder_that_was_moved_out_is_not_told_of_its_successor(
    watcher: Watcher, hints: Hints, inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that is being written would be taken for closed."""
    (inbox / "a").mkdir()
    written(hints, inbox / "a" / "0.jpg", again=True)
    (inbox / "a").rename(inbox.parent / "a")
    (inbox / "a").mkdir()
    written(hints, inbox / "a" / "1.jpg", again=True)
    told: list[str] = []
    closed = hints.closed
    monkeypatch.setattr(hints, "closed", lambda path: (told.append(path), closed(path)))
    (inbox.parent / "a" / "2.jpg").write_bytes(b"x")
    written(hints, inbox / "a" / "3.jpg")
    assert str(inbox / "a" / "2.jpg") not in told
