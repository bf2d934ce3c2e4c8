"""What the database's errors become, and that the store goes on after each."""

import shutil
import sqlite3
from contextlib import contextmanager

import pytest
from sqlalchemy import event

from classifyd.core.errors import StoreUnavailable
from classifyd.core.values import Filter
from classifyd.store import sqlite
from classifyd.store.copying import copy_database
from classifyd.store.failures import meaning, translated
from tests.unit.store.samples import message, result


@contextmanager
def pragma(database, setting):
    """Gives every connection of the writing side a pragma."""
    engine = database.store._engine

    def apply(_connection, cursor, *_):
        cursor.execute(f"PRAGMA {setting}")

    event.listen(engine, "before_cursor_execute", apply)
    yield
    event.remove(engine, "before_cursor_execute", apply)


def entries(number, size=10):
    return [(result(f"{number}", number=number), (message(b"x" * size),))]


def test_a_locked_database_is_unavailable_until_it_is_free(url, clock, path, monkeypatch):
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_S", 0.0)
    from classifyd.store import Database

    database = Database.open(url, clock)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable, match="locked by another program"):
        database.store.write(entries(1), ())
    with pytest.raises(StoreUnavailable, match="locked by another program"):
        database.store.prune_outbox(clock.now, 1)
    other.close()
    database.store.write(entries(1), ())
    assert database.outbox.count() == 1
    database.close()


def test_a_full_disk_is_unavailable_writes_nothing_and_recovers(database):
    database.store.write(entries(1), ())
    with (
        pragma(database, "max_page_count = 30"),
        pytest.raises(StoreUnavailable, match="free some space"),
    ):
        database.store.write([*entries(2), *entries(3, 1_000_000)], ())
    assert len(database.results.page(Filter(), 9)) == 1
    database.store.write(entries(2), ())
    assert database.outbox.count() == 2


def test_a_database_that_may_not_be_written_is_unavailable(database):
    with (
        pragma(database, "query_only = ON"),
        pytest.raises(StoreUnavailable, match="may not be written"),
    ):
        database.store.write(entries(1), ())
    database.store.write(entries(1), ())


def test_a_file_that_lost_its_name_takes_no_more_results(database, path):
    """Or they would be gone with the daemon."""
    database.store.write(entries(1), ())
    aside = path.rename(path.with_name("aside.db"))
    with pytest.raises(StoreUnavailable, match="removed or replaced"):
        database.store.write(entries(2), ())
    aside.rename(path)
    database.store.write(entries(2), ())
    assert database.outbox.count() == 2


def test_another_file_in_its_place_is_refused_whatever_inode_it_gets(database, path):
    """File systems give the inode of a deleted file to the next one that is made."""
    database.store.write(entries(1), ())
    backup = path.with_name("backup.db")
    copy_database(path, backup)
    path.unlink()
    with pytest.raises(StoreUnavailable, match="removed or replaced"):
        database.store.write(entries(2), ())
    shutil.copyfile(backup, path)
    with pytest.raises(StoreUnavailable, match="removed or replaced"):
        database.store.write(entries(2), ())


def test_a_store_that_is_closed_takes_no_more_results(database):
    """Another daemon may hold the database by then."""
    database.close()
    with pytest.raises(StoreUnavailable):
        database.store.write(entries(1), ())
    assert database.store._connection is None


def test_a_failing_reader_is_unavailable(database, path):
    database.results.close()
    path.rename(path.with_name("aside.db"))
    with pytest.raises(StoreUnavailable, match="cannot be opened"):
        database.results.get("x")
    path.with_name("aside.db").rename(path)
    assert database.results.get("x") is None


@pytest.mark.parametrize(
    ("code", "told"),
    [
        (sqlite3.SQLITE_IOERR_FSYNC, "check the disk"),
        (sqlite3.SQLITE_BUSY_SNAPSHOT, "locked by another program"),
        (sqlite3.SQLITE_CORRUPT, "restore a backup"),
        (sqlite3.SQLITE_READONLY_DBMOVED, "may not be written"),
        (sqlite3.SQLITE_NOMEM, "the database failed: words"),
    ],
)
def test_extended_codes_mean_what_their_primary_code_means(path, code, told):
    error = sqlite3.OperationalError("words")
    error.sqlite_errorcode = code
    assert told in meaning(path, error)
    assert str(path) in meaning(path, error)
    with pytest.raises(StoreUnavailable, match=told), translated(path):
        raise error


def test_another_error_goes_through_as_it_is(path):
    with pytest.raises(ZeroDivisionError), translated(path):
        raise ZeroDivisionError
