import errno
import os
from pathlib import Path

import pytest

from classifyd.sources.folder import people
from classifyd.sources.folder.troubles import FIRST_DELAY, LONGEST_DELAY, Troubles, remedy
from classifyd.telemetry import Event, folder


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[Event]:
    heard: list[Event] = []
    monkeypatch.setattr(folder, "emit", heard.append)
    return heard


DENIED = PermissionError(errno.EACCES, "Permission denied")


def test_a_file_is_named_once_and_tried_ever_more_rarely(told: list[Event], tmp_path: Path) -> None:
    troubles = Troubles()
    delays = [troubles.failed("cat.jpg", tmp_path / "cat.jpg", DENIED) for _ in range(9)]
    assert delays[:3] == [FIRST_DELAY, 2 * FIRST_DELAY, 4 * FIRST_DELAY]
    assert delays[-1] == LONGEST_DELAY
    assert len(told) == 1
    troubles.over("cat.jpg")
    assert len(troubles) == 0
    assert troubles.failed("cat.jpg", tmp_path / "cat.jpg", DENIED) == FIRST_DELAY
    assert len(told) == 2, "trouble that comes back is news"


def test_no_more_files_are_remembered_than_there_is_room_for(told: list[Event], tmp_path: Path) -> None:
    troubles = Troubles(limit=1)
    assert troubles.failed("a.jpg", tmp_path, DENIED) is not None
    assert troubles.failed("b.jpg", tmp_path, DENIED) is None
    assert len(troubles) == 1


def test_the_warning_names_user_owner_mode_and_remedy(told: list[Event], tmp_path: Path) -> None:
    (tmp_path / "cat.jpg").touch(0o640)
    Troubles().failed("cat.jpg", tmp_path / "cat.jpg", DENIED)
    Troubles().failed("gone.jpg", tmp_path / "gone.jpg", DENIED)
    here, gone = told
    assert isinstance(here, folder.FileUnreadable)
    assert isinstance(gone, folder.FileUnreadable)
    assert here.user == here.owner == people.current_user()
    assert here.mode == "-rw-r-----"
    assert f"let user {people.current_user()} read the file" in here.remedy
    assert (gone.owner, gone.mode) == ("unknown", "unknown")


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (errno.EXDEV, "an inbox of its own"),
        (errno.EPERM, "sticky bit"),
        (errno.EROFS, "keep"),
        (errno.ENAMETOOLONG, "shorten"),
        (errno.EIO, "system's log"),
    ],
)
def test_every_reason_has_its_remedy(code: int, words: str) -> None:
    assert words in remedy(OSError(code, os.strerror(code)))
