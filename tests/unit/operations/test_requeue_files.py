import errno
import os
from collections.abc import Collection
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from classifyd.core.names import encode_path
from classifyd.core.values import Origin, Reason, Rejected, Result, Source
from classifyd.operations.requeue_files import NotRequeued, Requeued, requeue_files
from classifyd.sources.folder.settling import describe
from classifyd.sources.folder.shelf import beside, sidecar_of

ULID = "01M829Z8VFWDFQX9D0QYPEF0ZK"


class Folders:
    """A `failed` folder as the daemon leaves it, and an inbox."""

    def __init__(self, top: Path) -> None:
        self.failed, self.inbox = top / "failed", top / "inbox"
        self.failed.mkdir()
        self.inbox.mkdir()

    def reject(self, relative: str, content: bytes = b"picture", other: bool = False) -> Path:
        """A rejected picture from this path of the inbox, under its name or another beside it."""
        place = self.failed / relative
        place = beside(place, ULID) if other else place
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
        moment = datetime(2026, 1, 31, tzinfo=UTC)
        refusal = Rejected(Reason.NOT_A_JPEG, "no JPEG")
        origin = Origin(
            Source.FOLDER, f"folder:X/{encode_path(relative)}", encode_path(place.name), encode_path(relative)
        )
        result = Result(ULID, origin, refusal, "resnet", None, 7, None, None, moment, moment)
        sidecar_of(place).write_bytes(describe(result, refusal, place))
        return place

    def requeue(self, chosen: Collection[Path] = ()) -> list[Requeued | NotRequeued]:
        return list(requeue_files(self.failed, self.inbox, chosen))


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    return Folders(tmp_path)


@pytest.mark.parametrize("name", ["cat.jpg", "sub/line\nbreak.jpg", "x" * 251 + ".jpg", "\udce9%.jpg"])
@pytest.mark.parametrize("other", [False, True])
def test_pictures_return_to_the_path_they_came_from(folders: Folders, name: str, other: bool) -> None:
    place = folders.reject(name, other=other)
    assert folders.requeue() == [Requeued(place, folders.inbox / name)]
    assert (folders.inbox / name).read_bytes() == b"picture"
    assert [path for path in folders.failed.rglob("*") if path.is_file()] == []
    assert folders.requeue() == []


def test_nothing_in_the_inbox_is_overwritten(folders: Folders) -> None:
    folders.reject("cat.jpg")
    (folders.inbox / "cat.jpg").write_bytes(b"new upload")
    (done,) = folders.requeue()
    assert isinstance(done, Requeued)
    assert done.target.read_bytes() == b"picture"
    assert (folders.inbox / "cat.jpg").read_bytes() == b"new upload"


def test_only_what_is_chosen_returns(folders: Folders) -> None:
    for name in ("cat.jpg", "a/dog.jpg", "b/cow.jpg"):
        folders.reject(name)
    folders.requeue([Path("cat.jpg"), Path("a")])
    assert sorted(path.name for path in folders.inbox.rglob("*.jpg")) == ["cat.jpg", "dog.jpg"]


@pytest.mark.parametrize(
    "chosen", ["failed/a/cat.jpg", "failed/a", "failed", "../{top}/failed/b/../a/cat.jpg"]
)
def test_paths_may_be_given_as_a_shell_completes_them(
    folders: Folders, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chosen: str
) -> None:
    place = folders.reject("a/cat.jpg")
    monkeypatch.chdir(tmp_path)
    path = Path(chosen.format(top=tmp_path.name))
    assert folders.requeue([path]) == [Requeued(place, folders.inbox / "a" / "cat.jpg")]


def test_all_that_a_shells_star_names_returns_once(folders: Folders) -> None:
    for name in ("cat.jpg", "a/dog.jpg"):
        folders.reject(name)
    chosen = sorted(folders.failed.iterdir())
    assert [type(one) for one in folders.requeue(chosen)] == [Requeued, Requeued]


@pytest.mark.parametrize("chosen", ["missing.jpg", "mine.jpg", "a/missing"])
def test_a_chosen_picture_that_did_not_fail_is_told(folders: Folders, chosen: str) -> None:
    (folders.failed / "mine.jpg").touch()
    problem = f"no failed picture of that name lies in {folders.failed}"
    assert folders.requeue([Path(chosen)]) == [NotRequeued(Path(chosen), problem)]


def test_what_is_chosen_outside_of_the_folder_is_told_and_stays(folders: Folders, tmp_path: Path) -> None:
    other = tmp_path / "other" / "cat.jpg"
    other.parent.mkdir()
    other.write_bytes(b"picture")
    sidecar_of(other).write_text("damaged")
    for chosen in (other, Path("../other"), Path("../other/cat.jpg")):
        (told,) = folders.requeue([chosen])
        assert told == NotRequeued(chosen, f"it lies outside of {folders.failed}: name what lies there")
    assert other.exists()


def denied(path: object) -> PermissionError:
    return PermissionError(errno.EACCES, "Permission denied", str(path))


def test_a_folder_that_may_not_be_read_is_told(folders: Folders, monkeypatch: pytest.MonkeyPatch) -> None:
    def scandir(path: Any) -> Any:
        raise denied(path)

    monkeypatch.setattr(os, "scandir", scandir)
    (told,) = folders.requeue()
    assert told == NotRequeued(
        folders.failed, "Permission denied: give this user the right to read and to enter it"
    )


@pytest.mark.parametrize("chosen", [[], [Path("cat.jpg")]])
def test_a_folder_that_may_not_be_entered_is_told(
    folders: Folders, monkeypatch: pytest.MonkeyPatch, chosen: list[Path]
) -> None:
    folders.reject("cat.jpg")
    real = Path.stat

    def stat(path: Path, **options: Any) -> Any:
        if path.parent == folders.failed:
            raise denied(path)
        return real(path, **options)

    monkeypatch.setattr(Path, "stat", stat)
    (told,) = folders.requeue(chosen)
    assert isinstance(told, NotRequeued)
    assert told.source.name == "cat.jpg"
    assert told.problem.startswith("Permission denied: give this user the right")


def test_where_nothing_has_failed_yet_nothing_is_told(folders: Folders) -> None:
    folders.failed.rmdir()
    assert folders.requeue() == []


def test_files_without_a_sidecar_and_sidecars_without_a_file_stay(folders: Folders) -> None:
    (folders.failed / "mine.jpg").touch()
    folders.reject("moving.jpg").unlink()
    folders.reject("link.jpg").unlink()
    (folders.failed / "link.jpg").symlink_to("mine.jpg")
    assert folders.requeue() == []
    assert len(list(folders.failed.iterdir())) == 4


@pytest.mark.parametrize("content", [b"", b"[]", b'{"file": "cat.jpg"}', b'{"file": 1, "path": 2}'])
def test_a_sidecar_that_somebody_changed_does_not_hold_its_picture_back(
    folders: Folders, content: bytes
) -> None:
    sidecar_of(folders.reject("sub/cat.jpg")).write_bytes(content)
    folders.requeue()
    assert (folders.inbox / "sub" / "cat.jpg").exists()


@pytest.mark.parametrize(
    "path", ["../outside.jpg", "/etc/outside.jpg", "a/../../outside.jpg", "null%00byte.jpg"]
)
def test_no_sidecar_leads_out_of_the_inbox(folders: Folders, path: str) -> None:
    sidecar = sidecar_of(folders.reject("cat.jpg"))
    sidecar.write_bytes(orjson.dumps(orjson.loads(sidecar.read_bytes()) | {"path": path}))
    folders.requeue()
    assert (folders.inbox / "cat.jpg").exists()


def test_what_cannot_return_is_told_and_the_rest_goes_on(
    folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.link

    def link(source: Any, target: Any) -> None:
        if Path(source).name == "cat.jpg":
            raise OSError(errno.ENOSPC, "No space left on device")
        real(source, target)

    monkeypatch.setattr(os, "link", link)
    cat, dog = folders.reject("cat.jpg"), folders.reject("dog.jpg")
    refused, done = folders.requeue()
    assert refused == NotRequeued(
        cat, f"No space left on device: check the rights and the space of {folders.inbox}"
    )
    assert done == Requeued(dog, folders.inbox / "dog.jpg")
    assert cat.exists()
    assert sidecar_of(cat).exists()
    assert replace(refused, problem="") == NotRequeued(cat, "")
