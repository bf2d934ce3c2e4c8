"""The command line as a person meets it: a terminal, commands beside a running daemon, a real broker."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from uuid import uuid4

import pytest

from classifyd.core.control import CONTROL
from tests.integration.kafka.support import make_topic
from verification.kit.broker import Broker
from verification.kit.daemon import DaemonProcess

BOUND = 90.0

pytestmark = pytest.mark.timeout(240)


class Terminal:
    """A command whose standard streams are a terminal of 120 columns."""

    def __init__(self, folder, *arguments):
        self._end, inner = pty.openpty()
        os.set_blocking(self._end, False)
        environment = {name: value for name, value in os.environ.items() if not name.startswith("CLASSIFYD_")}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "classifyd", *arguments],
            cwd=folder,
            env={**environment, "TERM": "xterm", "COLUMNS": "120"},
            stdin=inner,
            stdout=inner,
            stderr=inner,
        )
        os.close(inner)
        self.shown = ""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self._end)

    def wait_for(self, pattern):
        """Waits until something was shown; colours do not count."""
        deadline = time.monotonic() + BOUND
        while not re.search(pattern, self.shown):
            assert time.monotonic() < deadline, f"{pattern} was not shown:\n{self.shown}"
            if not self._read() and self.process.poll() is not None:
                assert re.search(pattern, self.shown), f"it ended without {pattern}:\n{self.shown}"
            time.sleep(0.02)

    def wait(self):
        """The exit code, once everything that was shown has been read."""
        deadline = time.monotonic() + BOUND
        while self._read() or self.process.poll() is None:
            assert time.monotonic() < deadline, f"it did not end:\n{self.shown}"
            time.sleep(0.02)
        return self.process.returncode

    def _read(self):
        try:
            data = os.read(self._end, 65_536)
        except OSError:  # nothing there now, or nothing any more
            return False
        self.shown += re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", data.decode())
        return bool(data)


def drop(folder, name, data):
    inbox = folder / "data" / "inbox"
    inbox.mkdir(parents=True, exist_ok=True)
    (inbox / name).write_bytes(data)


def test_a_person_sees_where_to_drop_pictures_a_live_line_and_the_log_above_it(tmp_path):
    with Terminal(tmp_path, "run", "--http", "127.0.0.1:0") as terminal:
        terminal.wait_for(rf"Drop pictures into {tmp_path}/data/inbox")
        terminal.wait_for(r"See results: classifyd results list, or http://127.0.0.1:[1-9]\d*/results")
        terminal.wait_for(r"knows ten classes.*classifyd models pull resnet50_v2")
        terminal.wait_for(r"waiting 0 · in flight 0 · done 0 · rejected 0 · 0.0 pictures/s")
        drop(tmp_path, "good.jpg", CONTROL.data)
        drop(tmp_path, "bad.jpg", b"no picture")
        terminal.wait_for(r"picture rejected")
        terminal.wait_for(r"done 1 · rejected 1 · [\d.]+ pictures/s")
        terminal.process.send_signal(signal.SIGINT)
        assert terminal.wait() == 0
    assert "Traceback" not in terminal.shown


def test_once_shows_a_bar_and_ends_with_a_summary(tmp_path):
    for number in range(3):
        drop(tmp_path, f"{number}.jpg", CONTROL.data)
    with Terminal(tmp_path, "run", "--once") as terminal:
        assert terminal.wait() == 0
    assert "3/3" in terminal.shown
    assert re.search(r"3 classified, 0 rejected in [\d.]+ s", terminal.shown)


def test_commands_work_beside_a_running_daemon(tmp_path):
    with DaemonProcess(tmp_path) as daemon:
        drop(tmp_path, "good.jpg", CONTROL.data)
        daemon.wait_until(lambda: daemon.count() == 1, BOUND, "at one row")
        assert "good.jpg" in daemon.command("results", "list").stdout
        exported = daemon.command("results", "export", "--format", "jsonl")
        assert json.loads(exported.stdout)["path"] == "good.jpg"
        assert daemon.command("backup", "copy.db").returncode == 0
        assert daemon.command("prune", "--older-than", "0s", "--dry-run").stdout.startswith("1 results")
        refused = daemon.command("prune", "--older-than", "0s")
        assert refused.returncode == 2
        assert "is in use by the daemon" in refused.stderr
        checked = daemon.command("check")
        assert checked.returncode == 0, checked.stdout
        assert daemon.stop() == 0
    assert (
        daemon.command("prune", "--older-than", "0s", "--files").stdout
        == "1 results and 1 pictures deleted\n"
    )
    assert not list(daemon.done.rglob("*.jpg"))


def test_classify_answers_with_the_bundled_model(tmp_path):
    (tmp_path / "a.jpg").write_bytes(CONTROL.data)
    (tmp_path / "b.jpg").write_bytes(b"no picture")
    daemon = DaemonProcess(tmp_path)
    answered = daemon.command("classify", "--json", "a.jpg", "b.jpg")
    good, bad = map(json.loads, answered.stdout.splitlines())
    assert answered.returncode == 1
    assert len(good["top"]) == 5
    assert bad["error_code"] == "not_a_jpeg"


@pytest.mark.kafka
def test_check_tells_which_topics_a_real_broker_has(tmp_path, broker: Broker):
    name = f"check-{uuid4().hex[:8]}"
    make_topic(broker, name, 1)
    daemon = DaemonProcess(
        tmp_path,
        {
            "CLASSIFYD_KAFKA__BOOTSTRAP_SERVERS": broker.bootstrap_servers,
            "CLASSIFYD_KAFKA__INPUT__TOPIC": name,
            "CLASSIFYD_KAFKA__OUTPUT__TOPIC": name + "-missing",
        },
    )
    checked = daemon.command("check")
    assert checked.returncode == 1
    assert f"OK      broker: {broker.bootstrap_servers}" in checked.stdout
    assert f"OK      topic {name}: is there" in checked.stdout
    assert f"WRONG   topic {name}-missing: is missing" in checked.stdout
