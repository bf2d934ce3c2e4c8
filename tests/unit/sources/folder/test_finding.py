from pathlib import Path

import pytest

from classifyd.core.errors import StoreUnavailable
from classifyd.sources.folder import FolderConfig
from classifyd.sources.folder.candidates import Candidates
from classifyd.sources.folder.finding import Finder, Sighting, all_of_them
from classifyd.sources.folder.health import Health
from classifyd.sources.folder.hints import Hints
from classifyd.sources.folder.readiness import Patience
from classifyd.sources.folder.rounds import Rounds


class Part:
    """Remembers what it was told last."""

    last = ""

    def up(self, detail: str = "") -> None:
        self.last = "up"

    def down(self, reason: str) -> None:
        self.last = reason


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FolderConfig:
    monkeypatch.setattr(Rounds, "SHARE", 1.0)
    monkeypatch.setattr(Rounds, "LEAST_PAUSE", 0.0)
    (tmp_path / "inbox").mkdir()
    return FolderConfig(path=tmp_path / "inbox", done=tmp_path / "done", failed=tmp_path / "failed")


def test_what_there_is_no_room_for_is_counted_once_however_often_it_is_seen(
    config: FolderConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("classifyd.sources.folder.finding._AT_ONCE", 1)
    for number in range(20):
        (config.path / f"{number}.jpg").touch()
    hints, candidates = Hints(), Candidates(Patience(1.0, 60.0), limit=5)
    finder = Finder(config, hints, candidates, all_of_them, Health(Part()))
    finder.begin(300.0)
    assert finder.scan()
    assert (len(candidates), finder.beyond) == (5, 15)
    (config.path / "new.jpg").touch()
    for _ in range(3):
        hints.closed(str(config.path / "new.jpg"))
        hints.folder(str(config.path))
        finder.note()
        assert not finder.scan()
        assert (len(candidates), finder.beyond) == (5, 16)


@pytest.mark.parametrize("left", [True, False])
def test_a_database_that_answers_again_is_no_trouble_any_more_whatever_the_inbox_holds(
    config: FolderConfig, monkeypatch: pytest.MonkeyPatch, left: bool
) -> None:
    monkeypatch.setattr("classifyd.sources.folder.finding.ASK_AGAIN", 0.0)
    away = [True]

    def unrecorded(sightings: list[Sighting]) -> list[Sighting]:
        if away:
            raise StoreUnavailable("database is locked")
        return sightings

    part = Part()
    candidates = Candidates(Patience(1.0, 60.0), limit=5)
    finder = Finder(config, Hints(), candidates, unrecorded, Health(part))
    (config.path / "cat.jpg").touch()
    finder.begin(300.0)
    finder.scan()
    assert "database is locked" in part.last
    assert not finder.quiet
    away.clear()
    if not left:
        (config.path / "cat.jpg").unlink()
    assert finder.scan()
    assert part.last == "up"
    assert len(candidates) == left
