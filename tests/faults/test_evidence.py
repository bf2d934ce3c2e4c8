"""What the oracle looks at: the files that somebody put there, also while a daemon moves them."""

from pathlib import Path

from verification.faults import evidence
from verification.faults.evidence import Found, sha256
from verification.faults.inputs import move_in
from verification.faults.oracle import Dropped

CLAIM = Path(".classifyd/claimed/instance/claim")


def put(path: Path, data: bytes = b"data") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def test_sidecars_and_locks_are_nobodys_pictures(tmp_path: Path) -> None:
    picture, claimed = put(tmp_path / "sub" / "a.jpg"), put(tmp_path / CLAIM / "b.lock")
    put(tmp_path / ".classifyd" / "instance.lock")
    sidecar = put(tmp_path / "sub" / "a.jpg.error.json")
    assert set(evidence.paths(tmp_path)) == {picture, claimed}
    assert evidence.sidecars(tmp_path) == {sidecar}


def test_a_file_that_is_moved_between_look_and_reading_is_missed(tmp_path: Path, monkeypatch) -> None:
    there = put(tmp_path / "there.jpg")
    monkeypatch.setattr(evidence, "paths", lambda folder: iter([folder / "moved.jpg", there]))
    assert evidence.files(tmp_path) == [Found(there, sha256(b"data"))]


def test_a_claimed_file_is_known_by_its_claim_and_path(tmp_path: Path) -> None:
    put(tmp_path / "waiting.jpg")
    claimed = put(tmp_path / CLAIM / "sub" / "a.jpg")
    assert evidence.claims(tmp_path) == [claimed]
    assert evidence.claimed_keys(tmp_path) == {"folder:claim/sub/a.jpg"}


def test_without_a_database_there_is_nothing(tmp_path: Path) -> None:
    assert evidence.rows(tmp_path / "none.db") == []
    assert evidence.instance(tmp_path / "none.db") is None
    assert evidence.unpublished(put(tmp_path / "empty.db", b"")) == 0


def test_what_is_moved_in_is_there_whole_and_remembered(tmp_path: Path) -> None:
    assert move_in(tmp_path, "sub/a.jpg", b"data") == Dropped("sub/a.jpg", sha256(b"data"))
    assert evidence.files(tmp_path) == [Found(tmp_path / "sub" / "a.jpg", sha256(b"data"))]
