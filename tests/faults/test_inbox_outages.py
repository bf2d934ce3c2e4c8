"""Outages and abuse of the inbox under a real daemon: nothing is lost, overwritten or condemned for them."""

import os
import shutil
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from classifyd.engines.bundled import bundled_model
from tests.faults.conftest import Recovery
from tests.faults.feeding import BOUND, Feeder, picture
from tests.faults.machine import filled, small_disk, unwritable, watches_limited_to, write_lock
from verification.faults import evidence
from verification.kit.daemon import DaemonProcess
from verification.kit.instant import instant_server

pytestmark = pytest.mark.timeout(240)

FLOOD = 20_000
FOLDERS = 20
SAME_NAME = 300
LABELS = bundled_model("resnet_cifar10") / "labels.txt"
PAUSE = 20.0
"""Seconds for which an upload pauses in its middle."""

Start = Callable[..., Feeder]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a daemon with an inbox that it was told of, and so may have to wait for."""
    daemons: list[DaemonProcess] = []

    def started(within: tuple[str, ...] = (), **settings: str) -> Feeder:
        inbox = tmp_path / "data" / "inbox"
        inbox.mkdir(parents=True)
        told = {
            "CLASSIFYD_DATA_DIR": str(tmp_path / "data" / "own"),
            "CLASSIFYD_INBOX__PATH": str(inbox),
            "CLASSIFYD_INBOX__DONE": str(tmp_path / "data" / "done"),
            "CLASSIFYD_INBOX__FAILED": str(tmp_path / "data" / "failed"),
            "CLASSIFYD_DATABASE__URL": f"sqlite:///{tmp_path}/data/classifyd.db",
            "CLASSIFYD_STOP_TIMEOUT": "5s",
        }
        daemon = DaemonProcess(tmp_path, told | settings, within)
        daemons.append(daemon)
        daemon.start()
        return Feeder(daemon)

    yield started
    for daemon in daemons:
        daemon.__exit__(None, None, None)


def sound_at_the_end(feeder: Feeder) -> None:
    """All is recorded and put away, every part is up, it stops in order, and the oracle finds nothing."""
    feeder.wait_until_settled()
    feeder.daemon.wait_until_ready()
    assert feeder.daemon.stop() == 0
    assert feeder.violations() == []


def log_of(feeder: Feeder) -> str:
    return feeder.daemon.log.read_text()


def test_an_inbox_that_is_deleted_is_waited_for_and_watched_when_it_is_made_again(
    start: Start, recovery: Recovery
) -> None:
    feeder = start()
    inbox = feeder.daemon.inbox
    feeder.drop("a.jpg", "sub/b.jpg")
    feeder.wait_until_settled()
    shutil.rmtree(inbox)
    feeder.daemon.wait_until_told("folder", str(inbox), "missing", "mounted")
    assert not inbox.exists(), "it may be a disk that is not mounted"
    inbox.mkdir()
    recovered = recovery("the inbox was deleted and made again")
    feeder.drop("a.jpg", "new/c.jpg")
    feeder.wait_until_settled()
    feeder.daemon.wait_until_ready()
    recovered()
    sound_at_the_end(feeder)


def test_an_inbox_that_is_renamed_away_comes_back_with_all_that_it_holds(
    start: Start, recovery: Recovery
) -> None:
    """Its pictures are claimed, then recorded while it is away: no file is taken for gone."""
    feeder = start()
    inbox = feeder.daemon.inbox
    away = inbox.with_name("away")
    with write_lock(feeder.daemon.database):
        feeder.drop(*(f"{number}.jpg" for number in range(20)))
        feeder.wait_until_claimed(20)
        inbox.rename(away)
        feeder.daemon.wait_until_told("folder", str(inbox), "missing")
    feeder.daemon.wait_until(lambda: feeder.recorded == 20, BOUND, "recording what it holds")
    feeder.daemon.wait_until_told("folder", "cannot put away")
    content = picture()
    (away / "put while away.jpg").write_bytes(content)
    feeder.note("put while away.jpg", content)
    away.rename(inbox)
    recovered = recovery("the inbox was renamed away and back")
    feeder.wait_until_settled()
    feeder.daemon.wait_until_ready()
    recovered()
    sound_at_the_end(feeder)
    assert "somebody removed a claimed file" not in log_of(feeder)


def test_exhausted_watches_cost_time_and_no_picture(start: Start) -> None:
    """A limit of three watches, in a user namespace of its own: the system's is not touched."""
    feeder = start(within=watches_limited_to(3), CLASSIFYD_INBOX__POLL_INTERVAL="500ms")
    feeder.drop(*(f"{folder}/{number}.jpg" for folder in range(10) for number in range(5)))
    feeder.daemon.wait_until_logged("max_user_watches")
    feeder.wait_until_settled()
    feeder.drop(*(f"{folder}/later.jpg" for folder in range(10)))
    sound_at_the_end(feeder)
    assert log_of(feeder).count("scanned regularly instead of being watched") == 1


@pytest.mark.timeout(480)
def test_a_flood_of_files_in_many_folders_at_once_loses_none(start: Start, recovery: Recovery) -> None:
    with instant_server(classes=10) as url:
        feeder = start(**served_by(url))
        inbox = feeder.daemon.inbox
        contents = [[picture() for _ in range(FLOOD // FOLDERS)] for _ in range(FOLDERS)]
        for folder in range(FOLDERS):
            (inbox / str(folder)).mkdir()

        def pour(folder: int) -> None:
            for number, content in enumerate(contents[folder]):
                (inbox / str(folder) / f"{number}.jpg").write_bytes(content)

        with ThreadPoolExecutor(FOLDERS) as pouring:
            list(pouring.map(pour, range(FOLDERS)))
        recovered = recovery(f"{FLOOD} files were written at once into {FOLDERS} folders")
        for folder in range(FOLDERS):
            for number, content in enumerate(contents[folder]):
                feeder.note(f"{folder}/{number}.jpg", content)
        feeder.wait_until_settled(bound=200.0)
        recovered()
        sound_at_the_end(feeder)


def served_by(url: str) -> dict[str, str]:
    """The settings for a model server that answers at once, with the ten classes of the bundled labels."""
    return {
        "CLASSIFYD_MODELS__RESNET__ENGINE": "tfserving",
        "CLASSIFYD_MODELS__RESNET__URL": url,
        "CLASSIFYD_MODELS__RESNET__LABELS": str(LABELS),
    }


def test_one_name_that_is_dropped_again_and_again_gives_every_picture_its_row(start: Start) -> None:
    """The first ones are under way meanwhile: what follows is not taken for them, and not put over them."""
    feeder = start()
    with write_lock(feeder.daemon.database):
        for _ in range(SAME_NAME // 3):
            drop_when_free(feeder, "cat.jpg")
        feeder.wait_until_claimed(SAME_NAME // 3)
    for _ in range(SAME_NAME - SAME_NAME // 3):
        drop_when_free(feeder, "cat.jpg")
    sound_at_the_end(feeder)
    assert len({file.sha256 for file in feeder.put_away()}) == SAME_NAME


def drop_when_free(feeder: Feeder, name: str) -> None:
    """Drops a picture under a name as soon as the one before has left; never over it."""
    content = picture()
    hidden = feeder.daemon.inbox / f".{name}"
    hidden.write_bytes(content)

    path = feeder.daemon.inbox / name
    feeder.daemon.wait_until(lambda: not path.exists(), BOUND, f"taking {name}")
    hidden.rename(path)
    feeder.note(name, content)


def test_an_upload_that_pauses_is_no_truncated_picture(start: Start, recovery: Recovery) -> None:
    feeder = start()
    content = picture()
    with (feeder.daemon.inbox / "slow.jpg").open("wb", buffering=0) as upload:
        upload.write(content[: len(content) // 2])
        paused = time.monotonic()
        feeder.drop("meanwhile.jpg")
        feeder.daemon.wait_until(lambda: feeder.recorded == 1, BOUND, "classifying another picture")
        time.sleep(max(0.0, paused + PAUSE - time.monotonic()))  # the fault
        upload.write(content[len(content) // 2 :])
    recovered = recovery(f"an upload paused for {PAUSE:.0f} s in its middle")
    feeder.note("slow.jpg", content)
    feeder.wait_until_settled()
    recovered()
    sound_at_the_end(feeder)


def test_files_that_shrink_or_vanish_or_change_their_name_while_they_are_read(start: Start) -> None:
    """Whatever was taken is one row with the bytes that lie in `done`; whatever was not is untouched."""
    feeder = start()
    inbox = feeder.daemon.inbox
    versions: dict[str, set[str]] = defaultdict(set)  # the whole contents that a file ever had
    gone_or_done: set[str] = set()

    def meddle(number: int) -> None:
        base = picture()
        path = inbox / f"{number}.jpg"
        whole = base + b"\0" * 300_000  # bytes behind the end marker are allowed
        key = f"{number}"
        versions[key] = {evidence.sha256(whole)}
        path.write_bytes(whole)
        with suppress(FileNotFoundError):  # the daemon was faster
            if number % 3 == 0:
                versions[key].add(evidence.sha256(base))
                os.truncate(path, len(base))
            elif number % 3 == 1:
                path.rename(inbox / f"{number}.renamed.jpg")
            else:
                path.unlink()
                gone_or_done.add(key)

    with ThreadPoolExecutor(4) as meddlers:
        list(meddlers.map(meddle, range(240)))
    feeder.daemon.wait_until(lambda: feeder.empty, BOUND, "done with all that is left")
    feeder.daemon.wait_until_ready()
    assert feeder.daemon.stop() == 0
    stored = {file.path: file.sha256 for file in feeder.put_away()}
    rows = evidence.rows(feeder.daemon.database)
    of_file: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        assert row.status == "classified", row
        assert stored.pop(row.stored) == row.sha256, "recorded is what was put away"
        of_file[row.path.partition(".")[0]].append(row.sha256)
    assert stored == {}, "nothing is put away that is not recorded"
    for key, contents in versions.items():
        if key not in gone_or_done:
            assert len(of_file[key]) == 1, key
        assert set(of_file[key]) <= contents


def test_a_folder_that_is_moved_in_is_worked_off_with_all_below_it(start: Start, tmp_path: Path) -> None:
    feeder = start()
    outside = tmp_path / "outside"
    for name in ("a.jpg", "deep/b.jpg", "deep/deeper/c.jpg"):
        path = outside / name
        path.parent.mkdir(parents=True, exist_ok=True)
        content = picture()
        path.write_bytes(content)
        feeder.note(f"album/{name}", content)
    outside.rename(feeder.daemon.inbox / "album")
    feeder.wait_until_settled()
    feeder.drop("album/deep/deeper/later.jpg")
    sound_at_the_end(feeder)


def test_done_and_failed_that_are_removed_are_made_again(start: Start) -> None:
    feeder = start()
    feeder.drop("a.jpg")
    feeder.drop("text.jpg", data=b"no picture", good=False)
    feeder.wait_until_settled()
    shutil.rmtree(feeder.daemon.done)
    shutil.rmtree(feeder.daemon.failed)
    feeder.dropped.clear()  # what was removed is no longer looked for
    feeder.drop("b.jpg")
    feeder.drop("other.jpg", data=b"no picture either", good=False)
    feeder.daemon.wait_until(lambda: feeder.recorded == 4 and feeder.empty, BOUND, "done")
    feeder.daemon.wait_until_ready()
    assert feeder.daemon.stop() == 0
    away = {file.sha256 for file in (*feeder.put_away(), *evidence.files(feeder.daemon.failed))}
    assert away == {file.sha256 for file in feeder.dropped}


def test_done_and_failed_that_may_not_be_written_are_waited_for(start: Start, recovery: Recovery) -> None:
    feeder = start()
    feeder.drop("a.jpg")
    feeder.drop("text.jpg", data=b"no picture", good=False)
    feeder.wait_until_settled()
    today = next(feeder.daemon.done.iterdir())
    with unwritable(today, feeder.daemon.done, feeder.daemon.failed):
        feeder.drop("b.jpg")
        feeder.daemon.wait_until_told("folder", "cannot put away", str(feeder.daemon.done), "right to write")
        feeder.drop("other.jpg", data=b"no picture either", good=False)
        feeder.daemon.wait_until(lambda: feeder.recorded == 4, BOUND, "recording all the same")
        assert len(feeder.claims) == 2, "kept claimed until they can be put away"
    recovered = recovery("done and failed could not be written")
    feeder.wait_until_settled()
    feeder.daemon.wait_until_ready()
    recovered()
    sound_at_the_end(feeder)


def test_a_full_disk_under_done_is_waited_for(start: Start, tmp_path: Path, recovery: Recovery) -> None:
    """Another disk than the inbox's, so that pictures are copied there."""
    with small_disk(tmp_path / "disk") as disk:
        feeder = start(CLASSIFYD_INBOX__DONE=str(disk / "done"))
        feeder.daemon.done = disk / "done"
        feeder.drop("a.jpg")
        feeder.wait_until_settled()
        with filled(disk):
            feeder.drop(*(f"{number}.jpg" for number in range(20)))
            feeder.daemon.wait_until_told(
                "folder", "cannot put away", "No space left", "free space on that disk"
            )
            feeder.daemon.wait_until(lambda: feeder.recorded == 21, BOUND, "recording all the same")
            assert len(feeder.claims) >= 20 - 1
        recovered = recovery("the disk under done was full")
        feeder.wait_until_settled()
        feeder.daemon.wait_until_ready()
        recovered()
        sound_at_the_end(feeder)


def test_whatever_a_files_time_says_it_is_taken(start: Start) -> None:
    """Clocks that run ahead, cameras without one, archives: nothing is waited for because of them."""
    feeder = start(CLASSIFYD_INBOX__INCOMPLETE_TIMEOUT="2s")
    for year, moment in (("1966", -(10**17)), ("1970", 0), ("2096", 4 * 10**18)):
        for name, content, good in (("good", picture(), True), ("cut", picture()[:-300], False)):
            hidden = feeder.daemon.inbox / f".{year}"
            hidden.write_bytes(content)
            os.utime(hidden, ns=(moment, moment))
            hidden.rename(feeder.daemon.inbox / f"{name} {year}.jpg")
            feeder.note(f"{name} {year}.jpg", content, good)
    sound_at_the_end(feeder)
