"""Crashes, other instances, and an inbox that comes and goes."""

import errno
import os
import shutil
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from classifyd.core.errors import ConfigurationError
from classifyd.core.values import Rejected, Settlement
from classifyd.sources.folder import mover, troubles
from classifyd.sources.folder.inbox import Inbox
from classifyd.sources.folder.inotify import _WatchGroup
from classifyd.sources.folder.layout import Layout
from classifyd.sources.folder.locks import InstanceLock
from classifyd.sources.folder.scan import Found
from classifyd.telemetry import Event, folder
from tests.integration.folder.world import Intake, World, jpeg, until


class Crash(BaseException):
    """The process ends here."""


def claim(world: World, instance: str, count: int) -> list[str]:
    """A daemon that dies with files claimed and not recorded; their keys."""
    world.intake.held = True
    world.start(instance)
    for number in range(count):
        (world.inbox / f"{number}.jpg").write_bytes(jpeg(number))
    until(lambda: len(world.intake.offered) == count)
    world.stop()
    return sorted(delivery.image.origin.key for delivery in world.intake.offered)


def test_claimed_files_are_taken_up_again_under_the_same_keys(world: World) -> None:
    keys = claim(world, "ONE", 5)
    world.restart()
    rows = world.rows(5)
    assert sorted(row.origin.key for row in rows) == keys
    assert len(world.files(world.today)) == 5
    assert world.files(world.inbox) == {}


def test_recorded_files_are_only_put_away_after_a_crash(world: World) -> None:
    claim(world, "ONE", 3)
    recorded = [world.ledger.record(delivery) for delivery in world.intake.offered]
    world.restart()
    until(lambda: len(world.files(world.done)) == 3)
    world.rows(3)
    assert world.intake.offered == []
    assert {row.stored_path for row in recorded} == {str(path) for path in world.today.iterdir()}


def test_the_recorded_place_is_kept_although_its_name_would_be_free(world: World) -> None:
    (world.today).mkdir(parents=True)
    (world.today / "0.jpg").write_bytes(b"another")
    claim(world, "ONE", 1)
    (delivery,) = world.intake.offered
    recorded = world.ledger.record(delivery)
    (world.today / "0.jpg").unlink()
    world.restart()
    until(lambda: world.files(world.done))
    world.stop()
    assert recorded.stored_path == str(next(world.today.iterdir()))
    assert recorded.id in (recorded.stored_path or "")


def test_claims_of_a_dead_instance_are_taken_over_with_their_keys(world: World, told: list[Event]) -> None:
    keys = claim(world, "TWO", 4)
    world.restart(instance="ONE")
    rows = world.rows(4)
    assert sorted(row.origin.key for row in rows) == keys
    assert [event for event in told if isinstance(event, folder.ClaimsTakenOver) and event.instance == "TWO"]


def test_claims_of_a_live_instance_are_left_until_it_dies(world: World) -> None:
    claim(world, "TWO", 2)
    lock = InstanceLock.take(Layout(world.inbox).lock_of("TWO"))
    assert lock is not None
    world.intake = Intake(world.ledger)
    world.start("ONE", rescan_interval=0.05)
    world.watched()
    (world.inbox / "cat.jpg").write_bytes(jpeg(77))
    world.rows(1)
    assert len(world.files(world.inbox / ".classifyd" / "claimed" / "TWO")) == 2
    lock.release()
    world.rows(3)


def test_claims_of_another_user_are_told_once_with_a_remedy_and_stop_nothing(
    world: World, told: list[Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    claim(world, "TWO", 1)
    real, refused = Path.rename, []

    def refuse(self: Path, target: Any) -> Any:
        if self.parent.name == "TWO":
            refused.append(self)
            raise PermissionError(errno.EACCES, "Permission denied", str(self))
        return real(self, target)

    monkeypatch.setattr(Path, "rename", refuse)
    world.restart(instance="ONE", rescan_interval=0.05)
    until(lambda: len(refused) >= 2)
    (world.inbox / "cat.jpg").write_bytes(jpeg(77))
    world.rows(1)
    (warning,) = [event for event in told if isinstance(event, folder.ClaimsOutOfReach)]
    assert warning.path == str(Layout(world.inbox).claims_of("TWO"))
    assert "a common group" in warning.remedy


def test_own_claims_that_cannot_be_listed_are_waited_for(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = claim(world, "ONE", 1)
    real, denied = os.scandir, [True]

    def refuse(path: Any = ".") -> Any:
        if denied and str(path) == str(Layout(world.inbox).claims_of("ONE")):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", refuse)
    world.restart()
    until(lambda: "cannot take up what was claimed" in world.part.last)
    denied.clear()
    (row,) = world.rows(1)
    assert [row.origin.key] == keys


def test_two_daemons_share_an_inbox_and_each_file_is_recorded_once(tmp_path: Path) -> None:
    one, two = World(tmp_path), World(tmp_path)
    one.inbox.mkdir()
    one.start("ONE")
    two.start("TWO")
    one.watched()
    two.watched()
    for number in range(200):
        (one.inbox / f"{number}.jpg").write_bytes(jpeg(number))
    until(lambda: len(one.ledger.rows) + len(two.ledger.rows) == 200)
    until(lambda: len(one.files(one.done)) == 200)
    one.stop()
    two.stop()
    assert not one.errors
    assert not two.errors
    names = [row.origin.name for world in (one, two) for row in world.ledger.rows.values()]
    assert len(set(names)) == 200


def test_a_second_daemon_of_the_same_identity_waits(world: World) -> None:
    (world.inbox / ".classifyd").mkdir()
    lock = InstanceLock.take(Layout(world.inbox).lock_of("ONE"))
    assert lock is not None
    world.start()
    until(lambda: "same identity" in world.part.last)
    lock.release()
    world.watched()


@pytest.mark.parametrize("content", [jpeg(), b"no picture"])
@pytest.mark.parametrize("step", ["link", "unlink", "write", "rmdir"])
def test_a_crash_at_any_step_of_putting_away_ends_with_one_row_and_one_file(
    world: World, monkeypatch: pytest.MonkeyPatch, content: bytes, step: str
) -> None:
    crashes = _crash_once(monkeypatch, step)
    world.start()
    world.watched()
    (world.inbox / "sub").mkdir()
    (world.inbox / "sub" / "cat.jpg").write_bytes(content)
    until(lambda: len(world.ledger.rows) == 1)
    until(lambda: not world._threads[1].is_alive() or not world.intake.items)
    crashed = [error for error in world.errors if isinstance(error, Crash)]
    world.errors.clear()
    assert bool(crashed) == bool(crashes())
    world.restart()
    until(lambda: world.source._finder.quiet and not world.source._under_way)
    world.stop()
    (row,) = world.ledger.rows.values()
    home = world.failed if isinstance(row.outcome, Rejected) else world.today
    expected = {"sub/cat.jpg"} | ({"sub/cat.jpg.error.json"} if isinstance(row.outcome, Rejected) else set())
    assert world.files(home).keys() == expected
    assert (home / "sub" / "cat.jpg").read_bytes() == content
    assert row.stored_path == str(home / "sub" / "cat.jpg")
    assert world.files(world.inbox) == {}


def _crash_once(monkeypatch: pytest.MonkeyPatch, step: str) -> Callable[[], int]:
    """Has the process end before its first (and again before its second) link, unlink, sidecar or rmdir."""
    done: list[str] = []

    def crashing(real: Any) -> Any:
        def call(*args: Any, **kwargs: Any) -> Any:
            if any(".classifyd/claimed" in str(arg) or ".json" in str(arg) for arg in args) and not done:
                done.append(step)
                raise Crash
            return real(*args, **kwargs)

        return call

    if step == "link":
        monkeypatch.setattr(os, "link", crashing(os.link))
    elif step == "unlink":
        monkeypatch.setattr(os, "unlink", crashing(os.unlink))
    elif step == "rmdir":
        monkeypatch.setattr(Path, "rmdir", crashing(Path.rmdir))
    else:
        from classifyd.sources.folder import settling

        monkeypatch.setattr(settling, "write_new", crashing(settling.write_new))
    return lambda: len(done)


def test_a_missing_inbox_is_waited_for(world: World) -> None:
    world.inbox.rmdir()
    world.start(settle_time=3600.0)
    until(lambda: "missing" in world.part.last)
    assert not world.inbox.exists(), "it may be an unmounted disk"
    world.inbox.mkdir()
    world.watched()
    (world.inbox / "cat.jpg").write_bytes(jpeg())
    world.rows(1)


@pytest.mark.parametrize("code", [errno.ESTALE, errno.EIO, errno.ENOTCONN, errno.EACCES])
def test_an_inbox_whose_disk_fails_is_waited_for(
    world: World, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    real, failing = os.stat, [True]

    def refuse(path: Any, *args: Any, **kwargs: Any) -> os.stat_result:
        if failing and str(path) == str(world.inbox):
            raise OSError(code, os.strerror(code), str(path))
        return real(path, *args, **kwargs)

    monkeypatch.setattr(os, "stat", refuse)
    world.start()
    until(lambda: f"inbox {world.inbox}" in world.part.last or world.errors)
    assert world.errors == []
    failing.clear()
    world.watched()
    (world.inbox / "cat.jpg").write_bytes(jpeg())
    world.rows(1)


def test_the_default_inbox_is_made(world: World) -> None:
    world.inbox.rmdir()
    world.start(create=True)
    until(world.inbox.is_dir)
    world.watched()


@pytest.mark.parametrize("gap", [True, False])
def test_an_inbox_that_is_deleted_and_made_again_is_watched_again(world: World, gap: bool) -> None:
    world.start(settle_time=3600.0)
    world.watched()
    (world.inbox / "cat.jpg").write_bytes(jpeg())
    world.rows(1)
    world.inbox.rename(world.top / "old")
    shutil.rmtree(world.top / "old")
    if gap:
        until(lambda: "missing" in world.part.last)
    world.inbox.mkdir()
    until((world.inbox / ".classifyd" / "ONE.lock").exists, "opening the new inbox")
    world.watched()
    (world.inbox / "dog.jpg").write_bytes(jpeg(1))
    world.rows(2)


def test_files_under_way_while_the_inbox_is_opened_again_are_not_offered_twice(world: World) -> None:
    world.intake.held = True
    world.start()
    world.watched()
    (world.inbox / "cat.jpg").write_bytes(jpeg())
    until(lambda: world.intake.offered)
    lock = world.inbox / ".classifyd" / "ONE.lock"
    before = lock.stat().st_ino
    lock.rename(world.top / "lock")  # deleted by somebody: it is to be taken anew
    until(lambda: lock.exists() and lock.stat().st_ino != before)
    world.watched()
    world.intake.finish(world.intake.offered[0])
    world.rows(1)
    assert len(world.intake.offered) == 1


def test_events_that_the_kernel_dropped_are_made_up_for(
    world: World, told: list[Event], opened: list[Inbox]
) -> None:
    world.start(settle_time=0.02)
    world.watched()
    (emitter,) = _observer(opened).emitters
    quiet = world.top / "quiet"
    quiet.mkdir()
    for number in range(20):
        (quiet / f"{number}.jpg").write_bytes(jpeg(number))
    emitter._inotify._is_active = False  # events are lost now
    quiet.rename(world.inbox / "quiet")
    emitter._inotify._is_active = True
    emitter._inotify.on_queue_overflow()
    world.rows(20)
    assert any(isinstance(event, folder.EventsLost) for event in told)


def test_a_real_queue_overflow_loses_nothing(world: World, told: list[Event]) -> None:
    limit = Path("/proc/sys/fs/inotify/max_queued_events")
    if not os.access(limit, os.W_OK):
        pytest.skip("the queue's length cannot be set here")
    before = limit.read_text()
    limit.write_text("16")
    try:
        world.start(settle_time=0.02)
        world.watched()
        for folder_number in range(20):
            sub = world.inbox / str(folder_number)
            sub.mkdir()
            for number in range(20):
                (sub / f"{number}.jpg").write_bytes(jpeg(number))
        world.rows(400)
    finally:
        limit.write_text(before)


def test_a_watcher_that_died_is_replaced(world: World, opened: list[Inbox]) -> None:
    world.start(settle_time=3600.0)
    world.watched()
    first = opened[-1].watcher
    for emitter in _observer(opened).emitters:
        emitter.stop()
    until(lambda: opened[-1].watcher not in (None, first), "another watcher")
    world.watched()
    (world.inbox / "cat.jpg").write_bytes(jpeg())
    world.rows(1)


def test_exhausted_watches_turn_auto_into_polling_said_once(
    world: World, told: list[Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    (world.inbox / "sub").mkdir()
    _exhaust(monkeypatch)
    world.start(settle_time=0.02)
    world.watched()
    (world.inbox / "sub" / "cat.jpg").write_bytes(jpeg())
    world.rows(1)
    (said,) = [event for event in told if isinstance(event, folder.PollingInstead)]
    assert "max_user_watches" in said.reason


def test_watches_that_run_out_later_turn_auto_into_polling(
    world: World, told: list[Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    world.start(settle_time=0.02)
    world.watched()
    _exhaust(monkeypatch)
    (world.inbox / "sub").mkdir()
    (world.inbox / "sub" / "cat.jpg").write_bytes(jpeg())
    until(lambda: any(isinstance(event, folder.PollingInstead) for event in told))
    (world.inbox / "sub" / "dog.jpg").write_bytes(jpeg(1))
    world.rows(2)


def test_exhausted_watches_end_a_daemon_that_was_told_to_watch(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    (world.inbox / "sub").mkdir()
    _exhaust(monkeypatch)
    world.start(watch="native")
    (error,) = until(lambda: world.errors)
    assert isinstance(error, ConfigurationError)
    assert "max_user_watches" in str(error)
    world.errors.clear()


@pytest.mark.parametrize("mode", ["poll", "auto"])
def test_polling_finds_what_comes_without_events(
    world: World, mode: str, monkeypatch: pytest.MonkeyPatch, told: list[Event]
) -> None:
    monkeypatch.setattr("classifyd.sources.folder.inbox.remote_kind", lambda _path: "nfs4")
    world.start(watch=mode)
    world.watched()
    (world.inbox / "cat.jpg").write_bytes(jpeg())
    world.rows(1)
    assert [type(event) for event in told].count(folder.PollingInstead) == (mode == "auto")


def test_a_full_disk_keeps_the_file_and_its_credit_until_there_is_room(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = [True]
    real = os.link

    def link(*args: Any, **kwargs: Any) -> None:
        if full:
            raise OSError(errno.ENOSPC, "No space left on device", str(args[0]), None, str(args[1]))
        real(*args, **kwargs)

    monkeypatch.setattr(os, "link", link)
    monkeypatch.setattr(mover, "FIRST_RETRY", 0.02)
    world.start()
    world.watched()
    (world.inbox / "cat.jpg").write_bytes(jpeg())
    until(lambda: "No space left" in world.part.last)
    assert "free space" in world.part.last
    assert world.intake.items == 1
    full.clear()
    world.rows(1)
    until(lambda: world.part.last == "up")
    assert world.files(world.today) == {"cat.jpg": jpeg()}


def test_a_place_that_is_taken_after_the_commit_is_not_overwritten(world: World, told: list[Event]) -> None:
    world.intake.held = True
    world.start()
    world.watched()
    (world.inbox / "cat.jpg").write_bytes(jpeg())
    (world.inbox / "text.jpg").write_bytes(b"no picture")
    until(lambda: len(world.intake.offered) == 2)
    for delivery in world.intake.offered:
        row = world.ledger.record(delivery)
        Path(row.stored_path or "").parent.mkdir(parents=True, exist_ok=True)
        Path(row.stored_path or "").write_bytes(b"somebody else's")
        world.intake.finish(delivery)
    world.rows(2)
    assert sorted(world.files(world.today).values()) == sorted([b"somebody else's", jpeg()])
    failed = world.files(world.failed)
    assert sorted(value for name, value in failed.items() if name.endswith(".jpg")) == [
        b"no picture",
        b"somebody else's",
    ]
    assert len(failed) == 3, "one sidecar, beside the rejected picture"
    assert len([event for event in told if isinstance(event, folder.StoredElsewhere)]) == 2


def test_a_claimed_file_that_somebody_removed_is_told_and_forgotten(world: World, told: list[Event]) -> None:
    claim(world, "ONE", 2)
    world.ledger.record(world.intake.offered[0])
    for path in (world.inbox / ".classifyd" / "claimed").rglob("*.jpg"):
        path.unlink()
    world.restart()
    world.watched()
    until(lambda: not world.source._under_way)
    assert len(world.ledger.rows) == 1


def test_a_file_that_was_handed_back_and_removed_meanwhile_is_forgotten(
    world: World, told: list[Event]
) -> None:
    world.intake.held = True
    world.start()
    world.watched()
    (world.inbox / "cat.jpg").write_bytes(jpeg())
    (delivery,) = until(lambda: world.intake.offered)
    for path in (world.inbox / ".classifyd" / "claimed").rglob("cat.jpg"):
        path.unlink()
    delivery.settle(Settlement.retry("not now"))
    until(lambda: any(isinstance(event, folder.ClaimVanished) for event in told))
    world.intake.held = False
    (world.inbox / "dog.jpg").write_bytes(jpeg(1))
    world.rows(1)


def test_adopted_claims_wait_for_a_database_that_answers(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim(world, "ONE", 2)
    monkeypatch.setattr("classifyd.sources.folder.source.ASK_AGAIN", 0.02)
    world.ledger.fail_twice()
    world.restart()
    world.rows(2)
    assert any("database is locked" in told for told in world.part.told)
    assert world.part.last == "up"


def _observer(opened: list[Inbox]) -> Any:
    watcher = opened[-1].watcher
    assert watcher is not None
    return watcher._observer


def _exhaust(monkeypatch: pytest.MonkeyPatch) -> None:
    """Below the root the kernel gives no more watches."""
    real = _WatchGroup._watch

    def watch(self: Any, path: bytes) -> Any:
        if path != self.path:
            raise OSError(errno.ENOSPC, "inotify watch limit reached")
        return real(self, path)

    monkeypatch.setattr(_WatchGroup, "_watch", watch)


def test_the_inbox_stays_locked_until_the_mover_has_ended(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    moving, go_on = threading.Event(), threading.Event()
    real = os.link

    def link(*args: Any) -> None:
        moving.set()
        assert go_on.wait(20.0)
        real(*args)

    monkeypatch.setattr(os, "link", link)
    world.start()
    world.watched()
    (world.inbox / "cat.jpg").write_bytes(jpeg())
    assert moving.wait(20.0)
    world.source.drain()
    world.source.stop()
    world.source.mover.stop()
    assert InstanceLock.take(Layout(world.inbox).lock_of("ONE")) is None
    go_on.set()
    world.stop()
    lock = InstanceLock.take(Layout(world.inbox).lock_of("ONE"))
    assert lock is not None
    lock.release()
    assert world.files(world.today) == {"cat.jpg": jpeg()}


def test_the_inbox_stays_locked_while_its_watcher_is_replaced(world: World, opened: list[Inbox]) -> None:
    world.start()
    world.watched()
    (inbox,) = opened
    lock, watcher = inbox.lock, inbox.watcher
    assert lock is not None
    assert watcher is not None
    watcher._observer.stop()
    until(lambda: inbox.watcher not in (None, watcher), "another watcher")
    assert opened == [inbox]
    assert inbox.lock is lock
    assert lock.intact


def test_a_claimed_file_that_cannot_be_read_is_named_and_tried_again(
    world: World, told: list[Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = claim(world, "ONE", 1)
    monkeypatch.setattr(troubles, "FIRST_DELAY", 0.02)
    real, refusals = os.open, []

    def refuse(path: Any, *args: Any, **kwargs: Any) -> int:
        if str(path).endswith("0.jpg") and len(refusals) < 3:
            refusals.append(path)
            raise OSError(errno.EIO, "Input/output error", str(path))
        return real(path, *args, **kwargs)

    monkeypatch.setattr(os, "open", refuse)
    world.restart()
    (row,) = world.rows(1)
    assert [row.origin.key] == keys
    assert len([event for event in told if isinstance(event, folder.FileUnreadable)]) == 1


def test_a_claimed_file_that_cannot_be_looked_at_is_not_forgotten(
    world: World, told: list[Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = claim(world, "ONE", 1)
    monkeypatch.setattr(troubles, "FIRST_DELAY", 0.02)
    real, refusals = os.lstat, []

    def refuse(path: Any, *args: Any, **kwargs: Any) -> os.stat_result:
        if "claimed" in str(path) and str(path).endswith("0.jpg") and len(refusals) < 3:
            refusals.append(path)
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return real(path, *args, **kwargs)

    monkeypatch.setattr(os, "lstat", refuse)
    world.restart()
    (row,) = world.rows(1)
    assert [row.origin.key] == keys
    assert len(refusals) == 3


def test_a_picture_in_a_folder_that_may_not_be_entered_is_told(
    world: World, told: list[Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Found.stat

    def refuse(self: Found) -> os.stat_result:
        if self.relative.startswith("private/"):
            raise PermissionError(errno.EACCES, "Permission denied", self.relative)
        return real(self)

    monkeypatch.setattr(Found, "stat", refuse)
    (world.inbox / "private").mkdir()
    (world.inbox / "private" / "cat.jpg").write_bytes(jpeg(1))
    (world.inbox / "dog.jpg").write_bytes(jpeg(2))
    world.start(rescan_interval=0.05)
    world.rows(1)
    (warning,) = [event for event in told if isinstance(event, folder.FolderUnreadable)]
    assert warning.path == str(world.inbox / "private")


@pytest.mark.parametrize("code", [errno.ESTALE, errno.EIO])
def test_a_claimed_file_whose_disk_fails_is_not_taken_for_gone(
    world: World, told: list[Event], monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    monkeypatch.setattr(mover, "FIRST_RETRY", 0.02)
    world.intake.held = True
    world.start()
    world.watched()
    (world.inbox / "cat.jpg").write_bytes(jpeg())
    (delivery,) = until(lambda: world.intake.offered)
    real, refusals = os.lstat, []

    def refuse(path: Any, *args: Any, **kwargs: Any) -> os.stat_result:
        if "claimed" in str(path) and str(path).endswith("cat.jpg") and len(refusals) < 3:
            refusals.append(path)
            raise OSError(code, os.strerror(code), str(path))
        return real(path, *args, **kwargs)

    monkeypatch.setattr(os, "lstat", refuse)
    monkeypatch.setattr(Path, "lstat", refuse)
    world.intake.finish(delivery)
    world.rows(1)
    assert len(refusals) == 3
    assert any(os.strerror(code) in told for told in world.part.told)
    assert not [event for event in told if isinstance(event, folder.ClaimVanished)]
    assert world.files(world.today) == {"cat.jpg": jpeg()}


def test_a_recorded_place_that_no_path_can_be_is_told_and_ends_nothing(world: World) -> None:
    """Somebody changed the row."""
    world.intake.held = True
    world.start()
    world.watched()
    (world.inbox / "cat.jpg").write_bytes(jpeg())
    (delivery,) = until(lambda: world.intake.offered)
    delivery.settle(Settlement.of(replace(world.ledger.record(delivery), stored_path="/null%00byte.jpg")))
    until(lambda: "a path cannot hold a null byte" in world.part.last)
    world.intake.held = False
    (world.inbox / "dog.jpg").write_bytes(jpeg(1))
    until(lambda: world.files(world.today) == {"dog.jpg": jpeg(1)})
