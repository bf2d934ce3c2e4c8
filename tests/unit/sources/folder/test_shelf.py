import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifyd.core.values import Candidate, Prediction, Reason, Rejected, Result
from classifyd.sources.folder import shelf as shelving
from classifyd.sources.folder.claims import Taken
from classifyd.sources.folder.config import FolderConfig
from classifyd.sources.folder.shelf import NAME_MAX, Shelf, beside, sidecar_of

ULID = "01M829Z8VFWDFQX9D0QYPEF0ZK"


def taken(relative: str, claim: str = "C1") -> Taken:
    return Taken(f"folder:{claim}/{relative}", relative, f"/claims/{claim}/{relative}")


def result(file: Taken, rejected: bool = False) -> Result:
    refusal = Rejected(Reason.NOT_A_JPEG, "no JPEG")
    prediction = Prediction((Candidate(1, "cat", 0.5),), "resnet", "1")
    late = datetime(2026, 1, 31, 23, 30, tzinfo=timezone(timedelta(hours=-2)))
    return Result(
        id=ULID,
        origin=file.origin,
        outcome=refusal if rejected else prediction,
        model="resnet",
        sha256=None,
        size_bytes=1,
        width=None,
        height=None,
        received_at=late,
        classified_at=late,
    )


@pytest.fixture
def config(tmp_path: Path) -> FolderConfig:
    return FolderConfig(path=tmp_path / "inbox", done=tmp_path / "done", failed=tmp_path / "failed")


def test_done_pictures_go_to_their_day_in_utc_and_rejected_ones_to_failed(config: FolderConfig) -> None:
    shelf, file = Shelf(config), taken("sub/cat.jpg")
    assert shelf.promise(file, result(file)) == str(config.done / "2026-02-01" / "sub" / "cat.jpg")
    assert shelf.promise(file, result(file, rejected=True)) == str(config.failed / "sub" / "cat.jpg")


def test_a_name_that_is_taken_gets_the_id_before_its_suffix(config: FolderConfig) -> None:
    shelf, file = Shelf(config), taken("cat.jpg")
    for name in ("cat.jpg", "cat.jpg.error.json"):
        blocker = config.failed / name
        blocker.parent.mkdir(exist_ok=True)
        blocker.touch()
        assert shelf.place(file, result(file, rejected=True)) == str(config.failed / f"cat.{ULID}.jpg")
        blocker.unlink()


def test_a_promised_name_is_kept_free_until_it_is_forgotten(config: FolderConfig) -> None:
    shelf, one, two = Shelf(config), taken("cat.jpg", "C1"), taken("cat.jpg", "C2")
    first = shelf.place(one, result(one))
    assert shelf.place(one, result(one)) == first, "asked again it is still its own"
    assert shelf.place(two, result(two)) != first
    shelf.forget(one)
    shelf.forget(one)
    assert shelf.place(two, result(two)) == first


def test_nothing_is_promised_for_what_is_deleted_or_stays(config: FolderConfig) -> None:
    file = taken("cat.jpg")
    assert Shelf(replace(config, after="delete")).promise(file, result(file)) is None
    assert Shelf(replace(config, after="delete")).promise(file, result(file, rejected=True)) is not None
    kept = replace(file, claimed=False)
    assert Shelf(replace(config, after="keep")).promise(kept, result(kept)) == kept.path


names = st.text(
    st.characters(blacklist_characters="/\0", blacklist_categories=["Cs"]), min_size=1, max_size=255
).filter(lambda name: name not in (".", "..") and len(os.fsencode(name)) <= NAME_MAX)


@given(names)
def test_every_name_has_another_beside_it_and_both_have_a_sidecar_that_fits(name: str) -> None:
    place = Path("/nowhere", name)
    other = beside(place, ULID)
    assert ULID in other.name
    assert other.parent == place.parent
    for path in (other, sidecar_of(place), sidecar_of(other)):
        assert len(os.fsencode(path.name)) <= NAME_MAX
    assert sidecar_of(other).name == other.name + ".error.json"
    if place.suffix and len(os.fsencode(name)) < 60:
        assert other.suffix == place.suffix


def test_a_folder_in_whose_place_a_file_lies_is_named_anew(tmp_path: Path) -> None:
    (tmp_path / "cat.jpg").touch()
    place = tmp_path / "cat.jpg" / "sub" / "dog.jpg"
    assert beside(place, ULID) == tmp_path / f"cat.{ULID}.jpg" / "sub" / "dog.jpg"


def test_the_day_is_that_of_classification(config: FolderConfig) -> None:
    shelf, file = Shelf(config), taken("cat.jpg")
    later = replace(result(file), classified_at=datetime(2030, 5, 6, tzinfo=UTC))
    assert shelf.place(file, later) == str(config.done / "2030-05-06" / "cat.jpg")


def test_nothing_is_written_through_a_symlink_in_done_or_failed(config: FolderConfig) -> None:
    elsewhere = config.path.parent / "elsewhere"
    elsewhere.mkdir()
    for link in (config.done / "2026-02-01", config.failed / "a" / "b"):
        link.parent.mkdir(parents=True)
        link.symlink_to(elsewhere)
    shelf, file = Shelf(config), taken("a/b/cat.jpg")
    done, failed = (shelf.place(file, result(file, rejected)) for rejected in (False, True))
    assert done == str(config.done / f"2026-02-01.{ULID}" / "a" / "b" / "cat.jpg")
    assert failed == str(config.failed / "a" / f"b.{ULID}" / "cat.jpg")


def test_a_symlink_that_is_made_later_is_seen_after_a_moment(
    config: FolderConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr(shelving.time, "monotonic", lambda: now[0])
    shelf, file = Shelf(config), taken("sub/cat.jpg")
    assert shelf.place(file, result(file)) == str(config.done / "2026-02-01" / "sub" / "cat.jpg")
    (config.done / "2026-02-01").mkdir(parents=True)
    (config.done / "2026-02-01" / "sub").symlink_to(config.path)
    now[0] += shelving.LOOK_HOLDS
    assert shelf.place(file, result(file)) == str(config.done / "2026-02-01" / f"sub.{ULID}" / "cat.jpg")


def test_a_place_that_is_filled_while_it_is_looked_at_is_not_promised_again(
    config: FolderConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf, one, two = Shelf(config), taken("cat.jpg", "C1"), taken("cat.jpg", "C2")
    first = shelf.place(one, result(one))
    assert first is not None
    lexists = os.path.lexists

    def look_and_then_move(path: Any) -> bool:
        found = lexists(path)
        Path(first).parent.mkdir(parents=True, exist_ok=True)
        Path(first).touch()
        shelf.forget(one)
        return found

    monkeypatch.setattr(os.path, "lexists", look_and_then_move)
    assert shelf.place(two, result(two)) != first


def test_done_itself_may_be_a_symlink(config: FolderConfig) -> None:
    elsewhere = config.path.parent / "elsewhere"
    elsewhere.mkdir()
    config.done.symlink_to(elsewhere)
    shelf, file = Shelf(config), taken("cat.jpg")
    assert shelf.place(file, result(file)) == str(config.done / "2026-02-01" / "cat.jpg")
