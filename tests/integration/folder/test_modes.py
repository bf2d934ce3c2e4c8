"""Keeping, deleting, and a single run."""

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from classifyd.core.errors import ConfigurationError
from classifyd.core.values import Status
from classifyd.sources.folder import troubles
from tests.integration.folder.world import World, jpeg, until


def test_delete_removes_what_is_done_and_sets_rejects_aside(world: World) -> None:
    world.start(after="delete")
    world.watched()
    (world.inbox / "cat.jpg").write_bytes(jpeg())
    (world.inbox / "text.jpg").write_bytes(b"text")
    rows = world.rows(2)
    assert {row.status: row.stored_path for row in rows} == {
        Status.CLASSIFIED: None,
        Status.REJECTED: str(world.failed / "text.jpg"),
    }
    assert world.files(world.top).keys() == {"failed/text.jpg", "failed/text.jpg.error.json"}


def test_keep_writes_nothing_in_the_inbox_and_records_each_version_once(world: World) -> None:
    (world.inbox / "cat.jpg").write_bytes(jpeg(1))
    (world.inbox / "text.jpg").write_bytes(b"text")
    world.start(after="keep", rescan_interval=0.05)
    rows = world.rows(2)
    path = world.inbox / "cat.jpg"
    status = path.stat()
    keys = {row.origin.name: row.origin.key for row in rows}
    assert keys["cat.jpg"] == f"file:{path}:{status.st_size}:{status.st_mtime_ns}"
    assert {row.stored_path for row in rows} == {str(path), str(world.inbox / "text.jpg")}
    path.write_bytes(jpeg(2, size=64))
    world.rows(3)
    assert sorted(item.name for item in world.inbox.iterdir()) == ["cat.jpg", "text.jpg"]
    world.restart(after="keep")
    world.watched()
    assert world.intake.offered == [], "what is recorded is not classified again"


def test_keep_offers_again_what_was_handed_back(world: World) -> None:
    world.intake.retries = 1
    (world.inbox / "cat.jpg").write_bytes(jpeg(1))
    world.start(after="keep")
    world.rows(1)
    assert len(world.intake.offered) == 2


def test_keep_waits_for_a_database_that_answers(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("classifyd.sources.folder.finding.ASK_AGAIN", 0.02)
    world.ledger.fail_twice()
    (world.inbox / "cat.jpg").write_bytes(jpeg(1))
    world.start(after="keep")
    world.rows(1)
    assert any("database is locked" in told for told in world.part.told)
    assert world.part.last == "up"


def test_claims_of_a_former_mode_are_worked_off_in_keep_mode(world: World) -> None:
    world.intake.held = True
    world.start()
    (world.inbox / "cat.jpg").write_bytes(jpeg())
    until(lambda: world.intake.offered)
    world.restart(after="keep")
    world.rows(1)
    assert world.files(world.today) == {"cat.jpg": jpeg()}


def test_a_single_run_works_off_what_is_there_and_ends(world: World) -> None:
    for number in range(20):
        (world.inbox / f"{number}.jpg").write_bytes(jpeg(number))
    (world.inbox / "half.jpg").write_bytes(jpeg(size=200)[:300])
    world.start(once=True)
    world.ended()
    assert len(world.ledger.rows) == 21
    assert len(world.files(world.today)) == 20
    assert world.source.unhandled == 0


def test_a_single_run_on_an_empty_inbox_ends_at_once(world: World) -> None:
    world.start(once=True)
    world.ended()
    assert world.ledger.rows == {}


def test_a_single_run_takes_up_what_an_earlier_run_left(world: World) -> None:
    world.intake.held = True
    world.start()
    (world.inbox / "cat.jpg").write_bytes(jpeg())
    until(lambda: world.intake.offered)
    world.restart(once=True)
    world.ended()
    assert len(world.ledger.rows) == 1


def test_a_single_run_counts_what_it_could_not_take(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.rename

    def refuse(source: str, target: str) -> None:
        if Path(source).name == "shared.jpg":
            raise PermissionError(1, "Operation not permitted", source)
        real(source, target)

    monkeypatch.setattr(os, "rename", refuse)
    monkeypatch.setattr(troubles, "FIRST_DELAY", 0.02)
    (world.inbox / "shared.jpg").write_bytes(jpeg(1))
    (world.inbox / "cat.jpg").write_bytes(jpeg(2))
    world.start(once=True)
    world.ended()
    assert world.source.unhandled == 1
    assert len(world.ledger.rows) == 1


def test_a_single_run_ends_and_counts_all_where_a_daemon_would_not_remember_all(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.open

    def refuse(path: Any, *args: Any, **kwargs: Any) -> int:
        if str(path).endswith(".jpg"):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return real(path, *args, **kwargs)

    monkeypatch.setattr(os, "open", refuse)
    monkeypatch.setattr("classifyd.sources.folder.source.TROUBLES", 2)
    monkeypatch.setattr("classifyd.sources.folder.source.CANDIDATES", 3)
    for number in range(8):
        (world.inbox / f"{number}.jpg").write_bytes(jpeg(number))
    world.start(once=True)
    world.ended()
    assert world.source.unhandled == 8


def test_a_daemon_remembers_a_limited_number_of_files_in_trouble(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("classifyd.sources.folder.source.TROUBLES", 2)
    real, denied = os.open, [True]

    def refuse(path: Any, *args: Any, **kwargs: Any) -> int:
        if denied and str(path).endswith(".jpg"):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return real(path, *args, **kwargs)

    monkeypatch.setattr(os, "open", refuse)
    monkeypatch.setattr(troubles, "LONGEST_DELAY", 0.02)
    for number in range(4):
        (world.inbox / f"{number}.jpg").write_bytes(jpeg(number))
    world.start(rescan_interval=0.05)
    until(lambda: world.source.unhandled == 2 and world.source.waiting == 2)
    denied.clear()
    world.rows(4)


def test_a_single_run_gives_up_on_a_file_that_cannot_be_put_away(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("classifyd.sources.folder.mover.FIRST_RETRY", 0.001)

    def link(*_args: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.link", link)
    (world.inbox / "cat.jpg").write_bytes(jpeg(2))
    world.start(once=True)
    world.ended()
    assert world.source.unhandled == 1
    assert len(world.ledger.rows) == 1
    assert len(world.files(world.inbox / ".classifyd")) == 1, "it stays claimed"


def test_a_single_run_without_an_inbox_is_refused(world: World) -> None:
    world.inbox.rmdir()
    world.start(once=True)
    world.ended()
    (error,) = world.errors
    assert isinstance(error, ConfigurationError)
    assert "missing" in str(error)
    world.errors.clear()
