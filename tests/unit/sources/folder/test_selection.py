import pytest

from classifyd.sources.folder.config import DEFAULT_IGNORE, DEFAULT_INCLUDE
from classifyd.sources.folder.selection import Selection

DEFAULT = Selection(DEFAULT_INCLUDE, DEFAULT_IGNORE)


@pytest.mark.parametrize(
    "name", ["a.jpg", "A.JPG", "b.Jpeg", "c.jpe", "d.jfif", "line\nbreak.jpg", "\udce9.jpg"]
)
def test_pictures_by_name_are_wanted_in_any_case(name: str) -> None:
    assert DEFAULT.wants(name)
    assert DEFAULT.wants(f"sub/folder/{name}")


@pytest.mark.parametrize(
    "path",
    [
        "a.png",
        "jpg",
        "a.jpg.part",
        "a.jpg.PART",
        "a.jpg.crdownload",
        ".a.jpg",
        "~a.jpg",
        "a.jpg~",
        ".git/a.jpg",
        "@eaDir/a.jpg",
        ".stfolder/a.jpg",
        "x/@EADIR/y/a.jpg",
    ],
)
def test_other_and_unfinished_files_are_not_wanted(path: str) -> None:
    assert not DEFAULT.wants(path)


def test_without_patterns_nothing_is_included_and_nothing_ignored() -> None:
    nothing = Selection((), ())
    assert not nothing.includes("a.jpg")
    assert not nothing.ignores(".a.jpg")
