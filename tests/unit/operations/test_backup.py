"""A copy of the database, while the daemon runs or not."""

import os
import sqlite3
from pathlib import Path

import pytest

from classifyd.core.errors import ConfigurationError
from classifyd.core.values import Filter
from classifyd.operations.backup import backup
from classifyd.store import Database, copying, read_only
from tests.unit.store.samples import Clock, message, result


@pytest.fixture
def database(tmp_path):
    opened = Database.open(url_of(tmp_path), Clock())
    opened.store.write([(result(f"{number}", number=number), (message(),)) for number in range(50)], ())
    yield opened
    opened.close()


def url_of(folder: Path, name: str = "classifyd.db") -> str:
    return f"sqlite:///{folder}/{name}"


def test_a_backup_beside_a_running_daemon_holds_all_that_was_committed(database, tmp_path):
    size = backup(url_of(tmp_path), tmp_path / "copy.db")
    database.store.write([(result("later", number=99), ())], ())
    assert size == (tmp_path / "copy.db").stat().st_size
    with read_only(url_of(tmp_path, "copy.db")) as copy:
        assert copy.page(Filter(), 99) == database.results.page(Filter(), 99)[1:]


def test_a_backup_is_one_file_and_takes_the_database_s_place(database, tmp_path):
    database.close()
    target = tmp_path / "copies" / "one.db"
    target.parent.mkdir()
    backup(url_of(tmp_path), target)
    assert list(target.parent.iterdir()) == [target]
    with sqlite3.connect(target) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    connection.close()
    restored = Database.open(f"sqlite:///{target}", Clock())
    assert restored.instance == database.instance
    assert restored.outbox.count() == 50
    restored.close()


def test_a_backup_replaces_nothing(database, tmp_path):
    (tmp_path / "mine").write_text("precious")
    with pytest.raises(ConfigurationError, match="name another file"):
        backup(url_of(tmp_path), tmp_path / "mine")
    assert (tmp_path / "mine").read_text() == "precious"


def test_a_name_taken_while_copying_is_not_replaced(database, tmp_path, monkeypatch):
    target = tmp_path / "copy.db"
    copy = copying._copy

    def slowly(source, temporary):
        copy(source, temporary)
        target.write_text("precious")

    monkeypatch.setattr(copying, "_copy", slowly)
    with pytest.raises(ConfigurationError, match="name another file"):
        backup(url_of(tmp_path), target)
    assert target.read_text() == "precious"
    assert not list(tmp_path.glob(".*"))


def test_where_links_are_missing_the_copy_still_appears(database, tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    backup(url_of(tmp_path), tmp_path / "copy.db")
    with read_only(url_of(tmp_path, "copy.db")) as copy:
        assert len(copy.page(Filter(), 99)) == 50


def test_a_failing_copy_leaves_nothing_behind(database, tmp_path, monkeypatch):
    copy = copying._copy

    def fail(source, temporary):
        copy(source, temporary)
        raise OSError(28, "No space left on device", str(temporary))

    monkeypatch.setattr(copying, "_copy", fail)
    before = set(tmp_path.iterdir())
    with pytest.raises(ConfigurationError, match="No space left"):
        backup(url_of(tmp_path), tmp_path / "copy.db")
    assert set(tmp_path.iterdir()) == before


def test_a_missing_folder_and_a_missing_database_are_told(database, tmp_path):
    with pytest.raises(ConfigurationError, match="no folder"):
        backup(url_of(tmp_path), tmp_path / "nowhere" / "copy.db")
    with pytest.raises(ConfigurationError, match="no database"):
        backup(url_of(tmp_path, "other.db"), tmp_path / "copy.db")
