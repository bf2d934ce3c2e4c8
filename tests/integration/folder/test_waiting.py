"""Files that are not whole yet, not pictures, or not to be had."""

import errno
import os
import socket
import threading
from pathlib import Path
from typing import Any

import pytest

from classifyd.core.gate import Limits
from classifyd.core.values import Reason, Rejected
from classifyd.sources.folder import troubles
from classifyd.telemetry import Event, folder
from tests.integration.folder.world import World, jpeg, until

FOREVER = 3600.0


def reason(world: World) -> Reason:
    (row,) = world.rows(1)
    assert isinstance(row.outcome, Rejected)
    return row.outcome.reason


def test_a_paused_upload_is_waited_for_and_then_taken_whole(world: World) -> None:
    world.start(incomplete_timeout=FOREVER, settle_time=0.02)
    world.watched()
    data = jpeg(size=200)
    path = world.inbox / "cat.jpg"
    with path.open("wb") as file:
        file.write(data[:500])
    until(lambda: world.source._candidates._known.get("cat.jpg", None) is not None)
    until(lambda: world.source._candidates._known["cat.jpg"].incomplete, "reading the first half")
    assert world.intake.offered == []
    assert path.exists(), "a paused upload stays where its writer looks for it"
    with path.open("ab") as file:
        file.write(data[500:])
    (row,) = world.rows(1)
    assert row.size_bytes == len(data)
    assert world.files(world.today) == {"cat.jpg": data}


def test_a_growing_file_is_not_taken_before_it_stands_still(world: World) -> None:
    world.start(settle_time=0.8, incomplete_timeout=1.5)
    world.watched()
    data = jpeg(size=200)
    grown = threading.Event()

    def upload() -> None:
        with (world.inbox / "cat.jpg").open("wb", buffering=0) as file:
            for start in range(0, len(data), 100):
                file.write(data[start : start + 100])
                grown.wait(0.05)
            grown.wait(0.05)

    uploader = threading.Thread(target=upload)
    uploader.start()
    (row,) = world.rows(1)
    uploader.join()
    assert row.size_bytes == len(data)
    assert not isinstance(row.outcome, Rejected)


@pytest.mark.parametrize(
    ("content", "expected"), [(jpeg(size=200)[:500], Reason.TRUNCATED), (b"", Reason.EMPTY)]
)
def test_what_stays_incomplete_is_rejected_in_the_end(world: World, content: bytes, expected: Reason) -> None:
    world.start()
    world.watched()
    (world.inbox / "cat.jpg").write_bytes(content)
    assert reason(world) is expected
    assert (world.failed / "cat.jpg").read_bytes() == content


def test_a_file_over_the_limit_is_rejected_without_being_read(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.start(limits=Limits(max_bytes=1000))
    world.watched()
    with (world.inbox / "huge.jpg").open("wb") as file:
        file.truncate(1 << 40)  # a terabyte, all of it a hole
    assert reason(world) is Reason.TOO_LARGE
    (row,) = world.ledger.rows.values()
    assert (row.size_bytes, row.sha256) == (1 << 40, None)
    assert (world.failed / "huge.jpg").stat().st_size == 1 << 40


def test_a_file_that_changes_while_it_is_claimed_is_read_again_under_the_same_key(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, path = os.rename, world.inbox / "cat.jpg"

    def rename_and_write(source: str, target: str) -> None:
        real(source, target)
        if Path(source) == path:
            with Path(target).open("ab") as file:
                file.write(b"more")

    monkeypatch.setattr(os, "rename", rename_and_write)
    world.start()
    world.watched()
    path.write_bytes(jpeg())
    (row,) = world.rows(1)
    assert row.size_bytes == len(jpeg()) + 4
    assert world.files(world.today) == {"cat.jpg": jpeg() + b"more"}


def test_only_pictures_by_name_are_touched(world: World, told: list[Event]) -> None:
    others = [
        "movie.mov",
        "raw.NEF",
        "second.nef",
        "cat.jpg.part",
        ".hidden.jpg",
        "~draft.jpg",
        "copy.jpg~",
        "@eaDir/cat.jpg",
        ".stfolder/cat.jpg",
    ]
    for name in others:
        (world.inbox / name).parent.mkdir(exist_ok=True)
        (world.inbox / name).write_bytes(jpeg())
    world.start()
    world.watched()
    (world.inbox / "cat.jpg").write_bytes(jpeg())
    world.rows(1)
    assert set(world.files(world.inbox)) == set(others)
    named = [event.extension for event in told if isinstance(event, folder.OtherFiles)]
    assert sorted(named) == [".mov", ".nef"], "each extension is named once"


def test_links_pipes_and_sockets_are_never_followed(world: World, told: list[Event]) -> None:
    outside = world.top / "outside"
    outside.mkdir()
    (outside / "secret.jpg").write_bytes(jpeg())
    (world.inbox / "link.jpg").symlink_to(outside / "secret.jpg")
    (world.inbox / "folder").symlink_to(outside)
    (world.inbox / "broken.jpg").symlink_to("nowhere")
    os.mkfifo(world.inbox / "pipe.jpg")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(world.inbox / "s.jpg"))
    world.start(rescan_interval=0.05)
    world.watched()
    (world.inbox / "cat.jpg").write_bytes(jpeg())
    world.rows(1)
    assert (outside / "secret.jpg").exists()
    named = [(event.path, event.kind) for event in told if isinstance(event, folder.IrregularFile)]
    assert sorted(named) == [
        ("broken.jpg", "symlink"),
        ("folder", "symlink"),
        ("link.jpg", "symlink"),
        ("pipe.jpg", "fifo"),
        ("s.jpg", "socket"),
    ]
    assert sorted(path.name for path in world.inbox.iterdir() if not path.name.startswith(".")) == [
        "broken.jpg",
        "folder",
        "link.jpg",
        "pipe.jpg",
        "s.jpg",
    ]


@pytest.mark.parametrize("code", [errno.EACCES, errno.EIO])
def test_an_unreadable_file_stays_is_named_once_and_taken_when_it_can_be_read(
    world: World, monkeypatch: pytest.MonkeyPatch, told: list[Event], code: int
) -> None:
    real, tries = os.open, []

    def refuse(path: Any, *args: Any, **kwargs: Any) -> int:
        if str(path).endswith("locked.jpg") and len(tries) < 3:
            tries.append(path)
            raise OSError(code, os.strerror(code), str(path))
        return real(path, *args, **kwargs)

    monkeypatch.setattr(os, "open", refuse)
    monkeypatch.setattr(troubles, "FIRST_DELAY", 0.02)
    (world.inbox / "locked.jpg").write_bytes(jpeg(1))
    (world.inbox / "cat.jpg").write_bytes(jpeg(2))
    world.start()
    world.rows(2)
    assert len(tries) == 3
    (warning,) = [event for event in told if isinstance(event, folder.FileUnreadable)]
    assert warning.path == str(world.inbox / "locked.jpg")
    assert (warning.reason, warning.mode) == (os.strerror(code), "-rw-r--r--")
    assert warning.user in warning.remedy or code == errno.EIO
    until(lambda: world.source.unhandled == 0)


def test_a_file_that_may_not_be_renamed_stays(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.rename

    def refuse(source: str, target: str) -> None:
        if Path(source).name == "shared.jpg":
            raise PermissionError(errno.EPERM, "Operation not permitted", source)
        real(source, target)

    monkeypatch.setattr(os, "rename", refuse)
    (world.inbox / "shared.jpg").write_bytes(jpeg())
    world.start()
    until(lambda: world.source.unhandled == 1)
    assert world.files(world.inbox) == {"shared.jpg": jpeg()}
    assert world.source.waiting == 1
    assert world.intake.items == 0, "the credit is given back"


def test_an_unlistable_folder_is_named_and_the_rest_taken(
    world: World, monkeypatch: pytest.MonkeyPatch, told: list[Event]
) -> None:
    real = os.scandir

    def refuse(path: Any = ".") -> Any:
        if str(path).endswith("private"):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return real(path)

    (world.inbox / "private").mkdir()
    (world.inbox / "cat.jpg").write_bytes(jpeg())
    monkeypatch.setattr(os, "scandir", refuse)
    world.start(rescan_interval=0.05)
    world.rows(1)
    (warning,) = [event for event in told if isinstance(event, folder.FolderUnreadable)]
    assert warning.path.endswith("private")


def test_done_and_failed_inside_the_inbox_are_never_scanned(world: World) -> None:
    world.done, world.failed = world.inbox / "out" / "done", world.inbox / "failed"
    world.start(rescan_interval=0.05)
    world.watched()
    (world.inbox / "cat.jpg").write_bytes(jpeg())
    (world.inbox / "text.jpg").write_bytes(b"text")
    world.rows(2)
    until(lambda: world.source._finder.quiet)
    assert world.files(world.inbox).keys() == {
        f"out/done/{world.today.name}/cat.jpg",
        "failed/text.jpg",
        "failed/text.jpg.error.json",
    }
    assert len(world.ledger.rows) == 2


def test_no_more_is_under_way_than_there_is_credit_for(world: World) -> None:
    world.intake = type(world.intake)(world.ledger, max_items=3)
    world.intake.held = True
    for number in range(10):
        (world.inbox / f"{number}.jpg").write_bytes(jpeg(number))
    world.start()
    until(lambda: len(world.intake.offered) == 3)
    until(lambda: world.source.waiting == 7)
    assert len(world.files(world.inbox / ".classifyd")) == 3
    world.intake.held = False
    for delivery in list(world.intake.offered):
        world.intake.finish(delivery)
    world.rows(10)
    assert world.intake.most == 3


def test_nothing_is_claimed_while_the_model_is_away(world: World) -> None:
    world.intake.closed = "the model is away"
    (world.inbox / "cat.jpg").write_bytes(jpeg())
    world.start()
    until(lambda: world.source.waiting == 1)
    assert set(world.files(world.inbox)) == {"cat.jpg"}
    world.intake.closed = None
    world.rows(1)


def test_a_picture_in_whose_folders_place_lies_a_file_is_gone(world: World, told: list[Event]) -> None:
    world.intake.closed = "the model is away"
    sub = world.inbox / "sub"
    sub.mkdir()
    (sub / "cat.jpg").write_bytes(jpeg())
    world.start()
    until(lambda: world.source.waiting == 1)
    (sub / "cat.jpg").unlink()
    sub.rmdir()
    sub.touch()
    world.intake.closed = None
    until(lambda: world.source.waiting == 0)
    assert not [event for event in told if isinstance(event, folder.FileUnreadable)]


def test_what_is_handed_back_is_offered_again_under_the_same_key(world: World) -> None:
    world.intake.retries = 2
    world.start()
    world.watched()
    (world.inbox / "cat.jpg").write_bytes(jpeg())
    world.rows(1)
    assert len({delivery.image.origin.key for delivery in world.intake.offered}) == 1
    assert len(world.intake.offered) == 3


def test_more_files_than_are_remembered_at_a_time_are_all_taken(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("classifyd.sources.folder.source.CANDIDATES", 4)
    monkeypatch.setattr("classifyd.sources.folder.finding._AT_ONCE", 1)
    for number in range(23):
        (world.inbox / f"{number}.jpg").write_bytes(jpeg(number))
    world.intake.closed = "the model is away"
    world.start()
    until(lambda: world.source.waiting == 23)
    assert len(world.source._candidates) == 4
    world.intake.closed = None
    world.rows(23)


def test_a_picture_whose_tail_still_grows_is_not_taken_before_it_stands_still(world: World) -> None:
    world.start(settle_time=1.0)
    world.watched()
    grown = threading.Event()
    with (world.inbox / "motion.jpg").open("wb", buffering=0) as file:  # a motion photo: JPEG, then a film
        file.write(jpeg())
        for _ in range(25):
            grown.wait(0.06)
            file.write(b"film")
        assert world.intake.offered == []
    (row,) = world.rows(1)
    assert row.size_bytes == len(jpeg()) + 25 * 4
