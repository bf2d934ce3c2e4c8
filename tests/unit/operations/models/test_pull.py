import fcntl
import hashlib
import io
import random
import tarfile

import pytest
import requests

from classifyd.core.errors import ConfigurationError
from classifyd.operations.models.catalog import CatalogError, Entry
from classifyd.operations.models.download import Downloader
from classifyd.operations.models.pull import Puller, find_faults

GRAPH = b"graph" * 1000
WEIGHTS = random.Random(7).randbytes(200_000)  # which does not compress
LABELS = b"background\ntench\ngoldfish\n"
CARD = 'name = "small"\n'


def tar(**members):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(f"./around/7/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return out.getvalue()


def file(path, content, **more):
    return {"path": path, "size": len(content), "sha256": hashlib.sha256(content).hexdigest(), **more}


@pytest.fixture
def entry(server):
    """A model of an archive and labels, on the server."""
    server.files = {"/model.tar.gz": tar(graph=GRAPH, weights=WEIGHTS), "/labels": LABELS}
    blob = hashlib.sha1(b"blob %d\0" % len(WEIGHTS) + WEIGHTS).hexdigest()
    weights = {"path": "7/weights", "size": len(WEIGHTS), "git_sha1": blob}
    return Entry.model_validate(
        {
            "name": "small",
            "engine": "tfserving",
            "title": "Small",
            "card": CARD,
            "downloads": [
                {
                    "urls": [f"{server.url}/model.tar.gz"],
                    "archive": True,
                    "files": [file("7/graph", GRAPH), weights],
                },
                {
                    "urls": [f"{server.url}/labels"],
                    "files": [file("labels.txt", LABELS, without="background\n")],
                },
            ],
        }
    )


@pytest.fixture
def into(tmp_path):
    return tmp_path / "models"


@pytest.fixture
def pull(entry, into):
    def pull(*offered):
        with requests.Session() as session:
            downloader = Downloader(session, tries=2, wait=lambda seconds: None)
            return Puller(into, downloader, lambda name: lambda have, total: None).pull(entry, offered)

    return pull


def test_a_pulled_model_is_complete_and_nothing_else_is_left(pull, entry, into):
    folder = pull()
    assert folder == into / "small"
    assert (folder / "7/graph").read_bytes() == GRAPH
    assert (folder / "7/weights").read_bytes() == WEIGHTS
    assert (folder / "labels.txt").read_bytes() == b"tench\ngoldfish\n"
    assert (folder / "model.toml").read_text() == CARD
    assert find_faults(entry, folder) == []
    assert list(into.iterdir()) == [folder]


def test_a_complete_model_is_not_fetched_again(pull, server):
    pull()
    server.asked.clear()
    pull()
    assert server.asked == []


def test_what_is_in_the_way_is_never_touched(pull, into):
    (into / "small").mkdir(parents=True)
    (into / "small/notes.txt").write_text("mine")
    with pytest.raises(ConfigurationError, match="move it away"):
        pull()
    assert (into / "small/notes.txt").read_text() == "mine"


@pytest.mark.parametrize("path", ["/model.tar.gz", "/labels"])
def test_a_corrupted_download_is_refused_and_the_next_pull_begins_anew(pull, server, into, path):
    good = server.files[path]
    server.files[path] = tar(graph=GRAPH, weights=WEIGHTS[::-1]) if "tar" in path else b"X" * len(LABELS)
    with pytest.raises(CatalogError):
        pull()
    assert not (into / "small").exists()
    server.files[path] = good
    pull()


def test_a_wrong_checksum_is_told_with_the_file(pull, server):
    server.files["/model.tar.gz"] = tar(graph=GRAPH[::-1], weights=WEIGHTS)
    with pytest.raises(CatalogError, match=r"model\.tar\.gz is not what the catalog says: 7/graph: checksum"):
        pull()


def test_a_pull_that_was_cut_goes_on_later(pull, server):
    server.cuts = [2**16, 0]
    with pytest.raises(CatalogError, match="pull again to go on"):
        pull()
    pull()
    assert server.asked[-2] == ("/model.tar.gz", f"bytes={2**16}-")


def test_what_is_fetched_already_is_kept_when_the_next_file_fails(pull, server):
    labels = server.files.pop("/labels")
    with pytest.raises(CatalogError, match="/labels: HTTP 404"):
        pull()
    server.files["/labels"] = labels
    server.asked.clear()
    pull()
    assert server.asked == [("/labels", None)]


def test_offered_files_are_taken_instead_of_fetching(pull, server, tmp_path):
    archive, labels = tmp_path / "brought.tgz", tmp_path / "words"
    archive.write_bytes(server.files["/model.tar.gz"])
    labels.write_bytes(LABELS)
    folder = pull(labels, archive)
    assert (folder / "7/graph").read_bytes() == GRAPH
    assert server.asked == []
    assert labels.read_bytes() == LABELS


def test_what_is_not_offered_is_fetched(pull, server, tmp_path):
    archive = tmp_path / "brought.tgz"
    archive.write_bytes(server.files["/model.tar.gz"])
    pull(archive)
    assert server.asked == [("/labels", None)]


def test_an_offered_file_that_is_damaged_is_refused_and_kept(pull, tmp_path):
    labels = tmp_path / "labels"
    labels.write_bytes(b"background\n" + b"X" * (len(LABELS) - 11))
    with pytest.raises(CatalogError, match="checksum"):
        pull(labels)
    assert labels.exists()


def test_an_offered_file_that_is_none_of_the_models_is_refused(pull, tmp_path):
    other = tmp_path / "holiday.jpg"
    other.write_bytes(b"jpeg")
    with pytest.raises(
        ConfigurationError, match=r"none of the files of small: model\.tar\.gz, labels \(26 bytes\)"
    ):
        pull(other)


@pytest.mark.parametrize("length", [2, 12, 40, 100])
def test_an_offered_archive_that_was_cut_short_is_told(pull, server, tmp_path, length):
    archive = tmp_path / "cut.tgz"
    archive.write_bytes(server.files["/model.tar.gz"][:length])
    with pytest.raises(ConfigurationError, match=r"cut\.tgz is not whole"):
        pull(archive)


def test_an_offered_file_that_is_not_there_is_refused(pull, tmp_path):
    with pytest.raises(ConfigurationError, match="no such file"):
        pull(tmp_path / "nothing")


def test_what_was_unpacked_does_not_stay_after_a_failure(pull, server, into):
    server.files["/labels"] = LABELS[::-1]
    with pytest.raises(CatalogError):
        pull()
    assert [path.name for path in (into / ".small.pulling").iterdir() if path.is_dir()] == []


def test_what_a_killed_pull_unpacked_is_no_hindrance(pull, into):
    left = into / ".small.pulling/model/7"
    left.mkdir(parents=True)
    (left / "graph").write_text("half")
    pull()


def test_two_pulls_of_one_model_do_not_meet(pull, into):
    staging = into / ".small.pulling"
    staging.mkdir(parents=True)
    with (staging / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(ConfigurationError, match="being pulled by another process"):
            pull()


def test_a_folder_that_cannot_be_made_is_told(pull, into):
    into.write_text("a file where the folder of models should be")
    with pytest.raises(CatalogError, match="cannot be written"):
        pull()


def test_a_missing_card_is_a_fault_and_an_edited_one_is_not(pull, entry):
    card = pull() / "model.toml"
    card.write_text(CARD + 'title = "Mine"\n')
    assert find_faults(entry, card.parent) == []
    card.unlink()
    assert find_faults(entry, card.parent) == ["model.toml: missing"]


@pytest.mark.parametrize("damage", ["7/weights", "labels.txt"])
def test_a_fault_that_came_later_is_found(pull, entry, damage):
    folder = pull()
    (folder / damage).write_bytes(b"other")
    [fault] = find_faults(entry, folder)
    assert fault.startswith(damage)
