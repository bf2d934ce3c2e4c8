"""One writer to a file."""

import os
import subprocess
import sys

import pytest

from classifyd.core.errors import ConfigurationError
from classifyd.store.locking import DatabaseLock

HOLD = """
import sys, pathlib
from classifyd.store.locking import DatabaseLock
lock = DatabaseLock(pathlib.Path(sys.argv[1]), "the daemon")
print("held", flush=True)
sys.stdin.read()
"""


def test_a_second_holder_is_told_who_the_first_is(path):
    with DatabaseLock(path, "the daemon"), pytest.raises(ConfigurationError) as refused:
        DatabaseLock(path, "classifyd prune")
    assert f"the daemon, pid {os.getpid()}" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_released_it_can_be_had_again(path):
    first = DatabaseLock(path, "the daemon")
    first.release()
    first.release()
    with DatabaseLock(path, "x"):
        assert path.with_name("classifyd.db.lock").read_text().startswith("x, pid")


def test_it_ends_with_its_process_however_that_ends(path):
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout.readline() == b"held\n"
        with pytest.raises(ConfigurationError, match=f"pid {process.pid} "):
            DatabaseLock(path, "x")
        process.kill()
        process.wait(30)
    DatabaseLock(path, "x").release()


def test_a_lock_file_that_cannot_be_opened_is_a_configuration_error(tmp_path):
    with pytest.raises(ConfigurationError, match="cannot be opened"):
        DatabaseLock(tmp_path / "missing" / "x.db", "x")


def test_a_file_system_without_locks_is_a_configuration_error(path, monkeypatch):
    def refuse(*_):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr("classifyd.store.locking.fcntl.flock", refuse)
    with pytest.raises(ConfigurationError, match="local disk"):
        DatabaseLock(path, "x")
