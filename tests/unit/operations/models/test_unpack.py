import io
import tarfile

import pytest

from classifyd.operations.models.catalog import CatalogError, ModelFile
from classifyd.operations.models.unpack import unpack

GRAPH = ModelFile(path="7/saved_model.pb", size=5, sha256="0" * 64)
INDEX = ModelFile(path="7/variables/variables.index", size=3, sha256="0" * 64)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "model"


@pytest.fixture
def archive(tmp_path):
    """Makes a tar of (member, content) pairs; a TarInfo stands for itself."""

    def archive(*members, mode="w:gz"):
        path = tmp_path / "model.tar.gz"
        with tarfile.open(path, mode) as tar:
            for name, content in members:
                member = tarfile.TarInfo(name) if isinstance(name, str) else name
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
        return path

    return archive


def special(kind, name="./resnet/7/extra", target="/etc/passwd"):
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:xz"])
@pytest.mark.parametrize("around", ["", "./", "./resnet_v2_jpg/", "a/b/"])
def test_the_files_are_found_whatever_folders_are_around_them(archive, folder, around, mode):
    path = archive(
        (f"{around}7/saved_model.pb", b"graph"), (f"{around}7/variables/variables.index", b"idx"), mode=mode
    )
    unpack(path, [GRAPH, INDEX], folder)
    assert (folder / "7/saved_model.pb").read_bytes() == b"graph"
    assert (folder / "7/variables/variables.index").read_bytes() == b"idx"


def test_nothing_else_is_written(archive, folder):
    directory = special(tarfile.DIRTYPE, "./resnet/7")
    path = archive((directory, b""), ("./resnet/7/saved_model.pb", b"graph"), ("./resnet/README", b"words"))
    unpack(path, [GRAPH], folder)
    assert [entry.name for entry in folder.rglob("*")] == ["7", "saved_model.pb"]


@pytest.mark.parametrize(
    "member",
    [
        "/7/saved_model.pb",
        "../7/saved_model.pb",
        "resnet/../../7/saved_model.pb",
        special(tarfile.SYMTYPE),
        special(tarfile.LNKTYPE),
        special(tarfile.FIFOTYPE),
        special(tarfile.CHRTYPE),
        special(tarfile.SYMTYPE, "7/saved_model.pb"),
    ],
    ids=["absolute", "parent", "inner parent", "symlink", "hard link", "fifo", "device", "link for a file"],
)
def test_an_archive_that_reaches_outside_is_refused(archive, folder, member):
    content = b"graph" if isinstance(member, str) else b""
    with pytest.raises(CatalogError, match="refused"):
        unpack(archive((member, content)), [GRAPH], folder)
    assert not folder.exists()


def test_a_missing_file_is_named(archive, folder):
    with pytest.raises(CatalogError, match=r"lacks 7/variables/variables\.index"):
        unpack(archive(("7/saved_model.pb", b"graph")), [GRAPH, INDEX], folder)


def test_a_file_of_another_size_is_refused(archive, folder):
    with pytest.raises(CatalogError, match="6 bytes instead of 5"):
        unpack(archive(("7/saved_model.pb", b"graphs")), [GRAPH], folder)


def test_a_file_that_comes_twice_is_taken_once(archive, folder):
    unpack(archive(("7/saved_model.pb", b"graph"), ("7/saved_model.pb", b"other")), [GRAPH], folder)
    assert (folder / "7/saved_model.pb").read_bytes() == b"graph"


def test_an_archive_that_unfolds_to_far_more_than_the_model_is_refused(archive, folder):
    with pytest.raises(CatalogError, match="far more"):
        unpack(archive(("zeros", bytes(2**24 + 10)), ("7/saved_model.pb", b"graph")), [GRAPH], folder)


@pytest.mark.parametrize("kept", [0, 15, 60])
def test_a_cut_archive_is_told(archive, folder, kept):
    path = archive(("7/saved_model.pb", b"graph"), ("7/variables/variables.index", b"idx"))
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(CatalogError, match=r"model\.tar\.gz"):
        unpack(path, [GRAPH, INDEX], folder)


def test_what_is_no_archive_is_told(tmp_path, folder):
    path = tmp_path / "page.html"
    path.write_text("<html>" * 200)
    with pytest.raises(CatalogError, match="not a whole tar archive"):
        unpack(path, [GRAPH], folder)
