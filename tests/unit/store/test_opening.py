"""How a daemon comes to its database, and what it refuses."""

import logging
import os
import shutil
import sqlite3
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine
from sqlalchemy.dialects import sqlite
from sqlalchemy.schema import CreateIndex
from structlog.testing import capture_logs

from classifyd.core.errors import ConfigurationError
from classifyd.core.values import Filter
from classifyd.store import Database, database, mounts, read_only, schema, tables
from tests.unit.rights import forbid
from tests.unit.store.samples import DOG, message, result

# Which is why a migration that makes a table anew makes such indexes of it again.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Skipped unsupported reflection of expression-based index"),
    pytest.mark.filterwarnings("ignore:autogenerate skipping metadata-specified expression-based index"),
]

WIDER = """
import sqlalchemy as sa
from alembic import op
revision = "0004"
down_revision = "0003"

def upgrade():
    with op.batch_alter_table("results", recreate="always") as table:
        table.add_column(sa.Column("note", sa.Text))
"""
FAILING = (
    WIDER
    + """
    op.execute("INSERT INTO nowhere VALUES (1)")
"""
)


@pytest.fixture(autouse=True)
def sound_sqlite(monkeypatch):
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 52, 0))


@pytest.fixture(autouse=True)
def events_are_told(caplog):
    with caplog.at_level(logging.INFO, "classifyd"):
        yield


@pytest.fixture
def newer_code(tmp_path, monkeypatch):
    """Gives the code one more migration."""

    def give(migration: str) -> None:
        folder = tmp_path / "100% newer"
        shutil.copytree(schema._MIGRATIONS, folder)
        (folder / "versions" / "0004_wider.py").write_text(migration)
        monkeypatch.setattr(schema, "_MIGRATIONS", folder)

    return give


def indexes(path: Path) -> dict[str, str]:
    """How the indexes of the results were made, by their names."""
    with sqlite3.connect(path) as connection:
        made = connection.execute(
            "SELECT name, sql FROM sqlite_master"
            " WHERE tbl_name = 'results' AND type = 'index' AND sql IS NOT NULL"
        ).fetchall()
    connection.close()
    return {name: " ".join(sql.split()) for name, sql in made}


def refusal(url, clock) -> str:
    with pytest.raises(ConfigurationError) as refused:
        Database.open(url, clock)
    told = str(refused.value)
    assert "\n" not in told
    return told


def test_folder_and_file_are_made(tmp_path, clock):
    with capture_logs() as log:
        Database.open(f"sqlite:///{tmp_path}/a/b/classifyd.db", clock).close()
    assert [line["event"] for line in log] == ["database created"]
    assert {file.name for file in (tmp_path / "a/b").iterdir()} == {"classifyd.db", "classifyd.db.lock"}


def test_migrations_lead_to_the_tables_of_the_code(database, path):
    with create_engine(f"sqlite:///{path}").connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), tables.metadata) == []
        made = connection.exec_driver_sql("SELECT sql FROM sqlite_master WHERE name NOT LIKE 'alembic%'")
        by_migration = {" ".join(row.sql.split()) for row in made if row.sql}
    engine = create_engine("sqlite://")
    tables.metadata.create_all(engine)
    with engine.connect() as connection:
        made = connection.exec_driver_sql("SELECT sql FROM sqlite_master")
        assert {" ".join(row.sql.split()) for row in made if row.sql} == by_migration


def test_commits_are_on_the_disk_and_readers_are_not_in_the_way(database):
    connection = database.store._connection
    with connection.begin():
        pragmas = ("journal_mode", "synchronous", "foreign_keys")
        values = [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in pragmas]
    assert values == ["wal", 2, 1]


def test_opened_again_it_holds_what_it_held(url, clock):
    first = Database.open(url, clock)
    only = result("a")
    first.store.write([(only, ())], ())
    first.close()
    first.close()
    with capture_logs() as log:
        again = Database.open(url, clock)
    assert log == []
    assert again.results.page(Filter(), 9) == [only]
    assert again.instance == first.instance
    again.close()


def test_a_second_daemon_is_refused_and_told_who_holds_it(database, url, clock):
    assert f"in use by the daemon, pid {os.getpid()}" in refusal(url, clock)


def test_the_same_file_under_another_name_is_held_too(database, path, tmp_path, clock):
    (tmp_path / "other.db").symlink_to(path)
    assert "in use" in refusal(f"sqlite:///{tmp_path}/other.db", clock)


def test_a_refused_start_leaves_the_lock_free(path, url, clock):
    path.write_text("no database, but a long enough text to be taken for one" * 50)
    assert "not a SQLite database" in refusal(url, clock)
    path.unlink()
    Database.open(url, clock).close()


def test_an_empty_file_becomes_a_database(path, url, clock):
    path.touch()
    Database.open(url, clock).close()
    assert schema.revision_of(path) == schema.head()


def test_the_database_of_another_program_is_refused_and_left_alone(path, url, clock):
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE theirs (a)")
    connection.close()
    before = path.read_bytes()
    assert "another program" in refusal(url, clock)
    assert path.read_bytes() == before


@pytest.mark.parametrize("revision", ["0001", None])
def test_another_program_that_uses_alembic_too_is_refused(path, url, clock, revision):
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE alembic_version (version_num)")
        connection.execute("INSERT INTO alembic_version VALUES (?)", (revision,))
    connection.close()
    assert "another program" in refusal(url, clock)


def test_a_network_file_system_is_refused(url, clock, monkeypatch, path):
    monkeypatch.setattr(mounts, "file_system_type", lambda *_: "nfs4")
    assert "nfs4" in refusal(url, clock)
    assert not path.exists()


def test_a_file_system_without_write_ahead_log_is_refused(url, clock, monkeypatch):
    monkeypatch.setattr(database.sqlite, "use_write_ahead_log", lambda _: False)
    assert "local disk" in refusal(url, clock)


def test_a_folder_that_cannot_be_made_is_refused(tmp_path, clock):
    (tmp_path / "file").write_text("")
    assert "cannot be made" in refusal(f"sqlite:///{tmp_path}/file/x/classifyd.db", clock)


def test_a_folder_in_place_of_the_file_is_refused(path, url, clock):
    path.mkdir()
    assert "is no file" in refusal(url, clock)


def test_a_database_that_another_program_writes_is_refused(url, clock, path, monkeypatch):
    Database.open(url, clock).close()
    monkeypatch.setattr(database.sqlite, "BUSY_TIMEOUT_S", 0.0)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert "locked by another program" in refusal(url, clock)
    other.close()


def test_an_unsound_sqlite_is_warned_about(url, clock, monkeypatch):
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 40, 1))
    with capture_logs() as log:
        Database.open(url, clock).close()
    assert [line["log_level"] for line in log if "version" in line] == ["warning"]


class TestUpgrade:
    def test_an_older_database_is_copied_and_upgraded_with_what_it_holds(self, url, path, clock, newer_code):
        old = Database.open(url, clock)
        only = result("a")
        old.store.write([(only, ())], ())
        old.close()
        newer_code(WIDER)
        with capture_logs() as log:
            new = Database.open(url, clock)
        copy = path.with_name("classifyd.db.before-0004")
        assert new.results.page(Filter(), 9) == [only]
        assert new.instance == old.instance
        new.store.write([(result("b", number=1), (message(),))], ())
        new.close()
        assert schema.revision_of(path) == "0004"
        assert schema.revision_of(copy) == "0003"
        assert [(line["event"], line["copy"]) for line in log] == [("database upgraded", str(copy))]

    @pytest.mark.parametrize("revision", ["0001", "0002"])
    def test_results_of_an_earlier_revision_are_found_through_the_indexes_of_this_one(
        self, url, path, clock, tmp_path, monkeypatch, revision
    ):
        earlier = tmp_path / "earlier"
        shutil.copytree(schema._MIGRATIONS, earlier)
        for later in (earlier / "versions").glob("*.py"):
            if later.name[:4] > revision:
                later.unlink()
        first, second = result("a", sha256="ab" * 32), result("b", DOG, number=1)
        with monkeypatch.context() as then:
            then.setattr(schema, "_MIGRATIONS", earlier)
            old = Database.open(url, clock)
            old.store.write([(first, ()), (second, ())], ())
            old.close()
            assert schema.revision_of(path) == revision
        new = Database.open(url, clock)
        assert new.results.page(Filter(sha256="ab" * 32), 9) == [first]
        assert new.results.page(Filter(label="cat"), 9) == [first]
        assert new.results.page(Filter(), 9) == [second, first]
        new.close()
        assert schema.revision_of(path) == schema.head()
        assert indexes(path) == {
            str(index.name): " ".join(str(CreateIndex(index).compile(dialect=sqlite.dialect())).split())
            for index in tables.results.indexes
        }

    def test_an_earlier_copy_is_kept(self, url, path, clock, newer_code):
        Database.open(url, clock).close()
        path.with_name("classifyd.db.before-0004").write_text("earlier")
        path.with_name("classifyd.db.before-0004.1").write_text("later")
        newer_code(WIDER)
        Database.open(url, clock).close()
        assert path.with_name("classifyd.db.before-0004").read_text() == "earlier"
        assert path.with_name("classifyd.db.before-0004.1").read_text() == "later"
        assert schema.revision_of(path.with_name("classifyd.db.before-0004.2")) == "0003"

    def test_an_upgrade_that_fails_changes_nothing(self, url, path, clock, newer_code):
        Database.open(url, clock).close()
        newer_code(FAILING)
        assert "nowhere" in refusal(url, clock)
        assert schema.revision_of(path) == "0003"
        with sqlite3.connect(path) as connection:
            columns = {row[1] for row in connection.execute("PRAGMA table_info(results)")}
        connection.close()
        assert "note" not in columns

    def test_a_database_newer_than_the_code_is_refused(self, url, path, clock, newer_code, monkeypatch):
        today = schema._MIGRATIONS
        newer_code(WIDER)
        Database.open(url, clock).close()
        monkeypatch.setattr(schema, "_MIGRATIONS", today)
        assert "newer classifyd (revision 0004, this one knows 0003)" in refusal(url, clock)
        with pytest.raises(ConfigurationError, match="newer classifyd"):
            read_only(url)

    def test_a_reader_upgrades_nothing(self, url, path, clock, newer_code):
        Database.open(url, clock).close()
        newer_code(WIDER)
        with pytest.raises(ConfigurationError, match="start `classifyd run` once"):
            read_only(url)
        assert schema.head() == "0004"
        assert schema.revision_of(path) == "0003"


def test_migrations_are_part_of_the_package():
    folder = Path(schema.__file__).parent / "migrations"
    assert (folder / "env.py").is_file()
    assert list((folder / "versions").glob("*.py"))


def test_a_reader_that_may_not_enter_the_folder_is_told_so(tmp_path, monkeypatch):
    forbid(monkeypatch, tmp_path / "private")
    with pytest.raises(
        ConfigurationError, match=r"private/c\.db: Permission denied: give this user the right"
    ):
        read_only(f"sqlite:///{tmp_path}/private/c.db")
