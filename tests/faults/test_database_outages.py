"""Outages of the database under a real daemon: nothing is lost, nothing is done before it is durable."""

import json
import os
import shutil
import sqlite3
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.faults.conftest import Recovery
from tests.faults.feeding import BOUND, Feeder, picture
from tests.faults.machine import disk_with_errors, filled, no_larger_files, small_disk, unwritable, write_lock
from verification.kit.daemon import DaemonProcess

pytestmark = pytest.mark.timeout(240)

LOCKED = 30.0
"""Seconds that another program holds the database's write lock."""
PAGE = 4096
"""Bytes of a page of the database (SQLite's default)."""

SETTINGS = {"CLASSIFYD_HTTP__DEADLINE": "5m", "CLASSIFYD_STOP_TIMEOUT": "3s"}


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[DaemonProcess]:
    with DaemonProcess(tmp_path, SETTINGS) as running:
        yield running


@pytest.fixture
def feeder(daemon: DaemonProcess) -> Feeder:
    """One that has fed two pictures already."""
    feeder = Feeder(daemon)
    feeder.drop("before/a.jpg", "before/b.jpg")
    feeder.wait_until_settled()
    return feeder


def parts_of(database: Path) -> list[Path]:
    """The database's file, and those that SQLite keeps beside it while it is open."""
    return [database, database.with_name(f"{database.name}-wal"), database.with_name(f"{database.name}-shm")]


def settles_again(feeder: Feeder) -> None:
    """All that was dropped so far is recorded and put away, and the daemon is whole."""
    feeder.wait_until_settled()
    feeder.daemon.wait_until_ready()


def sound_at_the_end(feeder: Feeder) -> None:
    """It stops in order, and the oracle finds nothing."""
    assert feeder.daemon.stop() == 0
    assert feeder.violations() == []


def ask(daemon: DaemonProcess) -> Any:
    """The answer to a picture that is sent by HTTP."""
    url = f"{daemon.url}/classify/resnet?top=1"
    request = urllib.request.Request(url, picture(), {"Content-Type": "image/jpeg"}, method="POST")
    with urllib.request.urlopen(request, timeout=2 * BOUND) as response:
        return json.load(response)


def test_a_database_that_another_program_locks_is_waited_for(
    daemon: DaemonProcess, feeder: Feeder, recovery: Recovery
) -> None:
    with ThreadPoolExecutor(1) as asker:
        with write_lock(daemon.database):
            began = time.monotonic()
            feeder.drop(*(f"{number}.jpg" for number in range(20)))
            answer = asker.submit(ask, daemon)
            feeder.daemon.wait_until_told("database", str(daemon.database), "locked by another program")
            assert daemon.get("/healthz")[0] == 200
            assert len(daemon.get("/results")[1]["results"]) == 2, "what is recorded can be read meanwhile"
            time.sleep(max(0.0, began + LOCKED - time.monotonic()))  # the fault
            assert len(feeder.claims) == 20, "nothing is put away that is not recorded"
            assert not answer.done(), "nothing is answered that is not recorded"
            assert daemon.count() == 2
        recovered = recovery(f"another program held the database's write lock for {LOCKED:.0f} s")
        settles_again(feeder)
        recovered()
        answered = answer.result(BOUND)
    asked = daemon.rows("SELECT id FROM results WHERE source = 'http'")
    assert asked == [{"id": answered["id"]}]
    sound_at_the_end(feeder)


def test_a_full_disk_under_the_database_is_waited_for(tmp_path: Path, recovery: Recovery) -> None:
    with small_disk(tmp_path / "disk") as disk:
        database = disk / "classifyd.db"
        with DaemonProcess(tmp_path, {"CLASSIFYD_DATABASE__URL": f"sqlite:///{database}"}) as daemon:
            daemon.database = database
            feeder = Feeder(daemon)
            feeder.drop("before.jpg")
            feeder.wait_until_settled()
            with filled(disk):
                # More than the pages that the write-ahead log has in use already hold.
                feeder.drop(*(f"{number}.jpg" for number in range(200)))
                feeder.daemon.wait_until_told("database", str(database), "disk is full", "free some space")
                assert len(feeder.put_away()) <= feeder.recorded, "nothing is put away that is not recorded"
            recovered = recovery("the disk under the database was full")
            settles_again(feeder)
            recovered()
            sound_at_the_end(feeder)


def test_a_limit_on_the_size_of_files_is_waited_for(
    daemon: DaemonProcess, feeder: Feeder, recovery: Recovery
) -> None:
    """Neither the database nor the log can grow; unlike a full disk it can be had without any right."""
    with no_larger_files(daemon.pid):
        feeder.drop(*(f"{number}.jpg" for number in range(20)))
        feeder.daemon.wait_until_told("database", str(daemon.database), "check the disk")
        assert daemon.count() == 2
    recovered = recovery("no file of the daemon could grow, its log's neither (RLIMIT_FSIZE)")
    settles_again(feeder)
    recovered()
    sound_at_the_end(feeder)


@pytest.mark.skipif(os.geteuid() != 0, reason="who has an open file goes on writing it whatever its mode")
def test_a_database_that_may_not_be_written_any_more_is_waited_for(
    daemon: DaemonProcess, feeder: Feeder, recovery: Recovery
) -> None:
    # Not the shared memory beside them: where its pages cannot be written the kernel ends the process.
    with unwritable(*parts_of(daemon.database)[:2]):
        feeder.drop(*(f"{number}.jpg" for number in range(20)))
        feeder.daemon.wait_until_told("database", str(daemon.database))
        feeder.daemon.wait_until_told("database", "may not be written")
        assert daemon.count() == 2
        assert len(feeder.claims) == 20
    recovered = recovery("the database's files were immutable (chattr +i)")
    settles_again(feeder)
    recovered()
    sound_at_the_end(feeder)


def test_a_disk_that_the_kernel_made_read_only_after_an_error_costs_a_restart_and_no_picture(
    tmp_path: Path, recovery: Recovery
) -> None:
    """Such a disk cannot be written again before everybody has closed what lies on it."""
    with disk_with_errors(tmp_path / "disk") as next_step:
        database = tmp_path / "disk" / "classifyd.db"
        daemon = DaemonProcess(tmp_path, {**SETTINGS, "CLASSIFYD_DATABASE__URL": f"sqlite:///{database}"})
        daemon.database = database
        with daemon:
            feeder = Feeder(daemon)
            feeder.drop("before.jpg")
            feeder.wait_until_settled()
            next_step()
            feeder.drop(*(f"{number}.jpg" for number in range(20)))
            feeder.daemon.wait_until_told("database", "may not be written", "mounted read-only")
            feeder.wait_until_claimed(20)
            assert daemon.stop() == 0
            next_step()
            recovered = recovery("the kernel made the database's disk read-only; with the daemon's restart")
            daemon.start()
            settles_again(feeder)
            recovered()
            sound_at_the_end(feeder)


def test_a_database_that_was_moved_away_is_waited_for_until_it_is_put_back(
    daemon: DaemonProcess, feeder: Feeder, tmp_path: Path, recovery: Recovery
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    there = [path.rename(elsewhere / path.name) for path in parts_of(daemon.database)]
    feeder.drop(*(f"{number}.jpg" for number in range(20)))
    feeder.daemon.wait_until_told("database", "was removed or replaced under the daemon", "put it back")
    feeder.wait_until_claimed(20)
    assert not daemon.database.exists(), "no empty one is made in its place"
    for path in there:
        path.rename(daemon.database.parent / path.name)
    recovered = recovery("the database was moved away and put back")
    settles_again(feeder)
    recovered()
    sound_at_the_end(feeder)


def test_a_database_that_was_deleted_is_told_of_and_nothing_is_written_into_the_void(
    daemon: DaemonProcess, feeder: Feeder, recovery: Recovery
) -> None:
    """It cannot come back by itself: going on with an empty one would classify all again that is not to be,
    under a new identity, behind the user's back. A restart is what tells the daemon to do so."""
    for path in parts_of(daemon.database):
        path.unlink()
    feeder.daemon.wait_until_told("database", "was removed or replaced")  # with nothing to write, too
    feeder.drop(*(f"{number}.jpg" for number in range(20)))
    feeder.daemon.wait_until_told(
        "database", "was removed or replaced under the daemon", "start the daemon again"
    )
    feeder.wait_until_claimed(20)
    assert daemon.stop() == 0
    assert not daemon.database.exists()
    assert len(feeder.claims) == 20, "what is not recorded stays claimed"
    lost = {row.sha256 for row in feeder.dropped[:2]}
    recovered = recovery("the database was deleted; with the daemon's restart")
    daemon.start()
    del feeder.dropped[:2]  # their rows went with the file; their pictures lie in `done`
    settles_again(feeder)
    recovered()
    assert daemon.stop() == 0
    assert [found for found in feeder.violations() if "nobody dropped it" not in found] == []
    assert lost <= {found.sha256 for found in feeder.put_away()}


def test_a_database_that_was_replaced_is_not_written(daemon: DaemonProcess, feeder: Feeder) -> None:
    backup = daemon.folder / "backup.db"
    assert daemon.command("backup", str(backup)).returncode == 0
    kept = backup.read_bytes()
    backup.replace(daemon.database)
    feeder.drop(*(f"{number}.jpg" for number in range(20)))
    feeder.daemon.wait_until_told(
        "database", "was removed or replaced under the daemon", "start the daemon again"
    )
    feeder.wait_until_claimed(20)
    assert daemon.database.read_bytes() == kept
    assert daemon.stop() == 0
    daemon.start()
    settles_again(feeder)
    sound_at_the_end(feeder)


def test_a_damaged_database_is_told_of_and_a_restored_backup_loses_no_picture(
    daemon: DaemonProcess, feeder: Feeder, recovery: Recovery
) -> None:
    backup = daemon.folder / "backup.db"
    assert daemon.command("backup", str(backup)).returncode == 0
    damage(daemon.database)
    feeder.drop(*(f"{number}.jpg" for number in range(20)))
    feeder.daemon.wait_until_told("database", str(daemon.database), "is damaged", "restore a backup")
    feeder.wait_until_claimed(20)
    assert daemon.stop() == 0
    daemon.launch()
    assert daemon.wait() == 2, "a damaged database is no reason to begin a new one"
    assert "is damaged" in daemon.tail(1)
    recovered = recovery("the database was damaged; with the backup's restoration and the daemon's restart")
    for path in parts_of(daemon.database):
        path.unlink(missing_ok=True)
    shutil.copy(backup, daemon.database)
    daemon.start()
    settles_again(feeder)
    recovered()
    sound_at_the_end(feeder)


def damage(database: Path) -> None:
    """Overwrites every page but the first with noise, on the disk and in nobody's cache."""
    other = sqlite3.connect(database, isolation_level=None, timeout=BOUND)
    try:
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        with database.open("r+b", buffering=0) as file:
            file.seek(PAGE)
            file.write(os.urandom(database.stat().st_size - PAGE))
        other.execute("PRAGMA user_version = 1")  # a commit by another: the daemon's cache is stale
    finally:
        other.close()
