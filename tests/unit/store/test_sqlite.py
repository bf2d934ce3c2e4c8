"""Which URLs name a file, and which versions of SQLite are unsound."""

from pathlib import Path

import pytest

from classifyd.core.errors import ConfigurationError
from classifyd.store.sqlite import has_wal_reset_bug, path_of


def test_a_url_names_an_absolute_file_without_links(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link.db").symlink_to("real.db")
    assert path_of("sqlite:///data/classifyd.db") == tmp_path.resolve() / "data/classifyd.db"
    assert path_of(f"sqlite:///{tmp_path}/link.db") == tmp_path.resolve() / "real.db"
    assert path_of("sqlite:////a b/%41?x=1#.db") == Path("/a b/%41?x=1#.db")


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("classifyd.db", "only SQLite"),
        ("postgresql://me:hidden@host/db", "begins with postgresql"),
        ("sqlite://", "write"),
        ("sqlite:///", "names no file"),
        ("sqlite:///:memory:", "names no file"),
    ],
)
def test_another_url_is_refused_with_what_to_write(url, told):
    with pytest.raises(ConfigurationError, match=told) as refused:
        path_of(url)
    assert "hidden" not in str(refused.value)
    assert "sqlite:///path" in str(refused.value)


@pytest.mark.parametrize(
    ("version", "unsound"),
    [
        ((3, 6, 23), False),
        ((3, 7, 0), True),
        ((3, 40, 1), True),
        ((3, 44, 5), True),
        ((3, 44, 6), False),
        ((3, 45, 0), True),
        ((3, 50, 6), True),
        ((3, 50, 7), False),
        ((3, 51, 2), True),
        ((3, 51, 3), False),
        ((3, 52, 0), False),
        ((4, 0, 0), False),
    ],
)
def test_versions_with_the_wal_reset_bug_are_known(version, unsound):
    assert has_wal_reset_bug(version) is unsound
