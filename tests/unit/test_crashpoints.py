"""Crash points: a process dies at the n-th passing of one, and otherwise nothing happens."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from classifyd import crashpoints
from classifyd.crashpoints import VARIABLE, Point, arm, reached

ROOT = Path(__file__).parents[2]
PASSES = """
import sys, threading
from classifyd.crashpoints import Point, arm, reached
arm(sys.argv[1])
for _ in range(3):
    reached(Point.FILE_READ)
    reached(Point.FILE_CLAIMED)
    print("passed", flush=True)
"""
MANY_THREADS = """
import sys, threading
from classifyd.crashpoints import Point, arm, reached
arm(f"file-claimed:{sys.argv[1]}")
def pass_often():
    for _ in range(1000):
        reached(Point.FILE_CLAIMED)
threads = [threading.Thread(target=pass_often) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""


@pytest.fixture
def killed(monkeypatch):
    """What would have been killed."""
    killed = []
    monkeypatch.setattr(os, "kill", lambda *call: killed.append(call))
    yield killed
    arm(None)


def python(program, *arguments):
    return subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, timeout=60, check=False
    )


def test_the_process_is_killed_at_the_nth_passing_of_its_point():
    ended = python(PASSES, "file-claimed:2")
    assert ended.returncode == -signal.SIGKILL
    assert ended.stdout == "passed\n"


def test_a_point_that_is_passed_too_seldom_kills_nothing():
    assert python(PASSES, "file-claimed:4").returncode == 0


@pytest.mark.parametrize(("number", "code"), [(8000, -signal.SIGKILL), (8001, 0)])
def test_passings_of_all_threads_count(number, code):
    assert python(MANY_THREADS, str(number)).returncode == code


def test_nothing_is_killed_unless_asked_for(killed):
    for text in (None, ""):
        arm(text)
        for point in Point:
            reached(point)
    assert killed == []


def test_only_the_named_point_kills(killed):
    arm("file-read:1")
    reached(Point.FILE_CLAIMED)
    assert killed == []
    reached(Point.FILE_READ)
    assert killed == [(os.getpid(), signal.SIGKILL)]


@pytest.mark.parametrize(
    "text", ["file-read", "file-read:", ":1", "file-read:0", "file-read:-1", "file-read:x"]
)
def test_an_order_that_is_none_is_refused(text):
    with pytest.raises(ValueError, match=VARIABLE):
        arm(text)


def test_a_point_that_is_none_is_refused_with_the_nearest():
    with pytest.raises(ValueError, match=r"no crash point 'file-raed'; did you mean file-read\?"):
        arm("file-raed:1")


@pytest.mark.parametrize("text", ["file-raed:1", "file-read:0"])
def test_a_start_with_a_wrong_order_is_refused_in_one_line(tmp_path, text):
    ended = subprocess.run(
        [sys.executable, "-m", "classifyd", "run"],
        cwd=tmp_path,
        env={**os.environ, VARIABLE: text},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 2
    assert re.fullmatch(rf"classifyd: {VARIABLE}: .*\n", ended.stderr)
    assert list(tmp_path.iterdir()) == []


def test_every_point_is_passed_somewhere_in_the_daemon():
    package = Path(crashpoints.__file__).parent
    code = "".join(path.read_text() for path in package.rglob("*.py"))
    assert set(re.findall(r"reached\(Point\.(\w+)\)", code)) == set(Point.__members__)


def test_every_point_is_documented():
    section = (
        (ROOT / "docs" / "architecture.md").read_text().partition("## Crash points")[2].partition("\n## ")[0]
    )
    assert set(re.findall(r"`([a-z]+(?:-[a-z]+)+)`", section)) == set(Point)
