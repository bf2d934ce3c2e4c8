"""What `check` finds of folders, database, broker and models."""

import os
import sqlite3

import pytest
from kafka.errors import KafkaTimeoutError

from classifyd.core.errors import ConfigurationError
from classifyd.operations.check import check_broker, check_database, check_inbox
from classifyd.sources.folder.config import FolderConfig
from classifyd.store import Database
from tests.unit.rights import forbid
from tests.unit.store.samples import NOON, result


def folders(tmp_path, **options):
    return FolderConfig(
        path=tmp_path / "inbox", done=tmp_path / "done", failed=tmp_path / "failed", **options
    )


def test_an_inbox_that_can_be_used(tmp_path):
    [finding] = check_inbox(folders(tmp_path, create=True))
    assert finding.ok
    assert str(tmp_path / "inbox") in finding.detail


def test_a_configured_inbox_that_is_missing_is_waited_for(tmp_path):
    [finding] = check_inbox(folders(tmp_path))
    assert not finding.ok
    assert "is missing: make it, or mount its disk" in finding.detail


def test_every_folder_that_cannot_be_used_is_told(tmp_path):
    for name in ("inbox", "failed"):
        (tmp_path / name).write_text("")
    findings = list(check_inbox(folders(tmp_path)))
    assert [finding.ok for finding in findings] == [False, False]


def test_a_database_that_is_there(tmp_path):
    url = f"sqlite:///{tmp_path}/c.db"
    assert check_database(url).detail == f"{tmp_path}/c.db will be made"
    database = Database.open(url, lambda: NOON)
    database.store.write([(result("a"), ())], ())
    running = check_database(url)
    database.close()
    assert (running.ok, running.detail) == (True, f"{tmp_path}/c.db holds 1 results")


def test_a_file_that_is_no_database(tmp_path):
    (tmp_path / "c.db").write_text("hello, this is no database" * 100)
    assert not check_database(f"sqlite:///{tmp_path}/c.db").ok


def test_a_database_newer_than_the_code(tmp_path):
    url = f"sqlite:///{tmp_path}/c.db"
    Database.open(url, lambda: NOON).close()
    with sqlite3.connect(tmp_path / "c.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'ffff'")
    connection.close()
    finding = check_database(url)
    assert not finding.ok
    assert "newer classifyd" in finding.detail


def test_an_empty_file_is_upgraded_at_the_start(tmp_path):
    (tmp_path / "c.db").touch()
    assert check_database(f"sqlite:///{tmp_path}/c.db").detail.endswith("will be upgraded at the next start")


@pytest.mark.parametrize("there", [True, False])
def test_a_database_without_rights(tmp_path, monkeypatch, there):
    if there:
        Database.open(f"sqlite:///{tmp_path}/c.db", lambda: NOON).close()
    monkeypatch.setattr(os, "access", lambda _path, mode: not mode & os.W_OK)
    finding = check_database(f"sqlite:///{tmp_path}/c.db")
    assert not finding.ok
    assert "cannot be written: give this user the right" in finding.detail


def test_a_database_on_a_network_file_system(tmp_path, monkeypatch):
    monkeypatch.setattr("classifyd.operations.check.network_file_system", lambda _: "nfs4")
    assert "network file system (nfs4)" in check_database(f"sqlite:///{tmp_path}/c.db").detail


class FakeConsumer:
    closed = False

    def topics(self):
        return {"a", "b"}

    def close(self):
        self.closed = True


def test_topics_that_are_there_and_missing(monkeypatch):
    consumer = FakeConsumer()
    monkeypatch.setattr("classifyd.kafka_python.opened", lambda _client, _arguments: consumer)
    findings = list(check_broker({"bootstrap_servers": ["x:1"]}, ["a", "c"]))
    assert [(finding.subject, finding.ok) for finding in findings] == [
        ("broker", True),
        ("topic a", True),
        ("topic c", False),
    ]
    assert consumer.closed


def test_a_connection_that_can_never_work_is_told_in_its_own_words(monkeypatch):
    def refuse(_client, _arguments):
        raise ConfigurationError("the settings of [kafka] do not work")

    monkeypatch.setattr("classifyd.kafka_python.opened", refuse)
    [finding] = check_broker({"bootstrap_servers": ["x:1"]}, ["a"])
    assert "(the settings of [kafka] do not work)" in finding.detail


def test_a_broker_that_is_away(monkeypatch):
    def refuse(_client, arguments):
        assert arguments["bootstrap_timeout_ms"] <= 10_000
        raise KafkaTimeoutError("nobody there")

    monkeypatch.setattr("classifyd.kafka_python.opened", refuse)
    [finding] = check_broker({"bootstrap_servers": ["x:1"]}, ["a"])
    assert not finding.ok
    assert "x:1 cannot be used" in finding.detail
    assert "(KafkaTimeoutError: nobody there)" in finding.detail
    assert "check address, TLS and SASL settings" in finding.detail


def test_a_database_in_a_folder_that_may_not_be_entered(tmp_path, monkeypatch):
    forbid(monkeypatch, tmp_path / "private")
    finding = check_database(f"sqlite:///{tmp_path}/private/c.db")
    assert not finding.ok
    assert "private/c.db: Permission denied: give this user the right" in finding.detail
