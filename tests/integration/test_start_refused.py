"""A start that cannot succeed is refused: one clear line that says what to do, exit code 2, no traceback."""

import shutil
import socket
import sqlite3
from pathlib import Path

import pytest

from verification.kit.daemon import DaemonProcess

CHECKOUT = Path(__file__).parents[2]

pytestmark = pytest.mark.timeout(180)


def refusal(daemon: DaemonProcess, *arguments: str) -> str:
    """The last line of a start that is refused."""
    daemon.launch(*arguments)
    assert daemon.wait() == 2, daemon.tail()
    assert "Traceback" not in daemon.log.read_text()
    return daemon.tail(1)


def test_an_unknown_variable_names_the_nearest_known_one(tmp_path):
    told = refusal(DaemonProcess(tmp_path, {"CLASSIFYD_INBOX__SETTLE": "1s"}))
    assert "CLASSIFYD_INBOX__SETTLE" in told
    assert "CLASSIFYD_INBOX__SETTLE_TIME" in told


def test_an_unknown_key_names_the_nearest_known_one(tmp_path):
    (tmp_path / "c.toml").write_text("[inbox]\nsetle_time = '1s'\n")
    told = refusal(DaemonProcess(tmp_path), "--config", "c.toml")
    assert "c.toml: inbox.setle_time" in told
    assert "inbox.settle_time" in told


def test_a_number_without_a_unit(tmp_path):
    assert "stop_timeout" in refusal(DaemonProcess(tmp_path, {"CLASSIFYD_STOP_TIMEOUT": "30"})).lower()


def test_a_taken_port(tmp_path):
    daemon = DaemonProcess(tmp_path)
    with socket.socket() as other:
        other.bind(("127.0.0.1", daemon.port))
        other.listen()
        told = refusal(daemon)
    assert f"127.0.0.1:{daemon.port}" in told
    assert "--no-http" in told


def test_a_second_daemon_on_the_same_database(tmp_path):
    with DaemonProcess(tmp_path / "first") as first:
        second = DaemonProcess(tmp_path / "second")
        told = refusal(second, "--database", str(first.database))
        assert str(first.database) in told
        assert first.stop() == 0


def test_a_database_newer_than_the_code(tmp_path):
    with DaemonProcess(tmp_path) as daemon:
        assert daemon.stop() == 0
    with sqlite3.connect(daemon.database) as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'ffff'")
    connection.close()
    assert "newer" in refusal(daemon)


def test_labels_unlike_the_model(tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(CHECKOUT / "models" / "resnet_cifar10", folder)
    (folder / "labels.txt").write_text("cat\ndog\n")
    told = refusal(DaemonProcess(tmp_path, {"CLASSIFYD_MODELS__RESNET__PATH": str(folder)}))
    assert "labels" in told
    assert "10" in told


def test_an_inbox_that_is_a_file(tmp_path):
    (tmp_path / "inbox").write_text("")
    assert str(tmp_path / "inbox") in refusal(DaemonProcess(tmp_path), "--inbox", "inbox")
