"""Reading beside the daemon: bounded, through indexes, never in the way."""

from dataclasses import replace

import pytest
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import OperationalError

from classifyd.core.errors import ConfigurationError, StoreUnavailable
from classifyd.core.values import Filter, Status
from classifyd.store import Database, read_only, reading
from classifyd.store.sqlite import connect
from classifyd.store.tables import recording_order
from tests.unit.store.samples import CAT, TORN, result


def written(database, count):
    results = [result(f"{number}", CAT if number % 3 else TORN, number=number) for number in range(count)]
    database.store.write([(one, ()) for one in results], ())
    return results


@pytest.mark.parametrize(
    ("wanted", "index"),
    [
        (Filter(label="cat"), "INDEX results_by_label"),
        (Filter(status=Status.REJECTED), "INDEX results_by_status"),
        (Filter(sha256="0" * 64), "INDEX results_by_sha256"),
        (Filter(), ""),
        (Filter(name="x"), ""),
    ],
)
@pytest.mark.parametrize("cursor", [False, True])
def test_the_newest_come_without_sorting(database, plans, wanted, index, cursor):
    before = written(database, 2)[1].id if cursor else None
    database.results.page(wanted, 10, before)
    *looked_up, plan = plans
    assert index in plan
    assert not any("TEMP B-TREE" in one for one in plans)
    assert len(looked_up) == cursor
    assert all("INDEX sqlite_autoindex_results_1 (id>?)" in one for one in looked_up)


@pytest.mark.parametrize("wanted", [Filter(), Filter(label="cat"), Filter(sha256="0" * 64)], ids=str)
def test_pages_go_on_where_a_result_was_that_is_deleted_meanwhile(database, wanted):
    oldest, older, seen, newest = (result(f"{number}", number=number) for number in range(4))
    database.store.write([(one, ()) for one in (oldest, older, seen, newest)], ())
    connection = connect(database.store._path, "rw")
    connection.execute("DELETE FROM results WHERE id = ?", (seen.id,))
    connection.close()
    assert database.results.page(wanted, 9, seen.id) == [older, oldest]
    assert database.results.page(wanted, 1, "ZZZ") == [newest]
    assert database.results.page(wanted, 9, "0") == []


def test_the_order_of_recording_is_that_of_the_ids_where_rows_have_no_numbers():
    assert str(recording_order.compile(dialect=postgresql.dialect())) == "results.id"


def test_a_clock_that_was_set_back_neither_hides_nor_repeats_results(database, monkeypatch):
    monkeypatch.setattr(reading, "_ROWS_AT_ONCE", 1)
    recorded = [result(f"{number}", number=number) for number in (5, 7, 6, 8)]
    for one in recorded:
        database.store.write([(one, ())], ())
    assert list(database.results.stream(Filter())) == recorded[::-1]
    assert list(database.results.stream(Filter(label="cat"))) == recorded[::-1]


@pytest.mark.parametrize("begin", ["", "3f", "4", "7", "8", "b", "c", "f", "A", "zz"])
def test_a_hash_is_found_wherever_it_stands_in_its_index(database, begin):
    wanted = result("a", sha256=begin.ljust(64, "0") if begin else "")
    database.store.write([(wanted, ()), (result("b", number=1, sha256=None), ())], ())
    assert database.results.page(Filter(sha256=wanted.sha256), 9) == [wanted]


def test_a_stream_tells_all_that_is_wanted_newest_first(database, url, monkeypatch):
    monkeypatch.setattr(reading, "_ROWS_AT_ONCE", 3)
    results = written(database, 20)
    with read_only(url) as reader:
        assert list(reader.stream(Filter())) == results[::-1]
        assert list(reader.stream(Filter(status=Status.REJECTED))) == results[::3][::-1]


def test_a_stream_holds_nothing_open_while_results_are_recorded(database, url, monkeypatch):
    monkeypatch.setattr(reading, "_ROWS_AT_ONCE", 2)
    results = written(database, 5)
    with read_only(url) as reader:
        stream = reader.stream(Filter())
        assert next(stream) == results[-1]
        database.store.write([(result("later", number=99), ())], ())
        connection = connect(database.store._path, "rw")
        assert connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone() == (0, 0, 0)
        connection.close()
        assert list(stream) == results[-2::-1]


def test_results_are_counted_by_status(database, url):
    with read_only(url) as reader:
        assert reader.counts() == {Status.CLASSIFIED: 0, Status.REJECTED: 0}
        written(database, 7)
        assert reader.counts() == {Status.CLASSIFIED: 4, Status.REJECTED: 3}


def test_a_reader_sees_results_whether_a_daemon_runs_or_not(url, clock):
    database = Database.open(url, clock)
    (only,) = written(database, 1)
    with read_only(url) as reader:
        assert reader.get(only.id) == only
        database.close()
        assert reader.known([only.origin.key]) == {only.origin.key: only}
    with read_only(url) as reader:
        assert reader.get(only.id) == only


def test_a_reader_cannot_write(database, url):
    with (
        read_only(url) as reader,
        reader._engine.connect() as connection,
        pytest.raises(OperationalError, match="readonly"),
    ):
        connection.exec_driver_sql("DELETE FROM results")


def test_a_missing_database_says_how_to_make_one_and_is_not_made(path, url):
    with pytest.raises(ConfigurationError, match="classifyd run"):
        read_only(url)
    assert not path.exists()


def test_a_damaged_row_or_file_is_reported_as_unavailable(database, url, path):
    (only,) = written(database, 1)
    database.close()
    data = bytearray(path.read_bytes())
    data[4096:] = bytes(len(data) - 4096)
    with read_only(url) as reader:
        path.write_bytes(data)
        with pytest.raises(StoreUnavailable, match="damaged"):
            reader.get(only.id)


def test_too_many_readers_at_once_are_told_to_try_later(database, url, monkeypatch):
    with read_only(url) as reader:
        monkeypatch.setattr(reader._engine.pool, "_timeout", 0.01)
        held = [reader._engine.connect() for _ in range(64)]
        with pytest.raises(StoreUnavailable, match="try again later"):
            reader.counts()
        for connection in held:
            connection.close()
        assert reader.counts()


def test_times_are_kept_to_the_millisecond(database):
    exact = result("a")
    exact = replace(exact, classified_at=exact.classified_at.replace(microsecond=123_999))
    database.store.write([(exact, ())], ())
    (row,) = database.results.page(Filter(), 1)
    assert row.classified_at.microsecond == 123_000
