"""`make` and `.ci/run`: what they refuse, and what they hand on."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.deployment.files import ROOT

CLOSING = "===== 7 passed, 1 skipped in 2.50s ====="

pytestmark = pytest.mark.skipif(not shutil.which("make"), reason="make is not installed")


@pytest.fixture
def checkout(tmp_path):
    """A folder with the Makefile and a virtual environment that counts as complete."""
    for name in ("Makefile", "pyproject.toml", "constraints.txt", ".ci/run"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def make(checkout, *arguments):
    environment = {
        name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL")
    }
    return subprocess.run(
        ["make", *arguments],
        cwd=checkout,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def complete(checkout):
    (checkout / ".venv/bin").mkdir(parents=True)
    for stamp in (".python", ".daemon", ".tests"):
        (checkout / ".venv" / stamp).touch()


def program(path, script):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def test_an_old_python_is_refused_in_words(checkout):
    program(checkout / "old-python", "exit 1")
    ended = make(checkout, "PYTHON=./old-python", "install")
    assert ended.returncode != 0
    assert "./old-python is not Python 3.11 or later" in ended.stderr
    assert not (checkout / ".venv").exists()


def test_nothing_is_installed_again_without_need(checkout):
    complete(checkout)
    assert "pip" not in make(checkout, "--dry-run", "install").stdout
    assert "pip" not in make(checkout, "--dry-run", "test").stdout


def test_a_changed_lock_is_installed(checkout):
    complete(checkout)
    newer = (checkout / ".venv/.daemon").stat().st_mtime + 10
    os.utime(checkout / "constraints.txt", (newer, newer))
    assert "pip install" in make(checkout, "--dry-run", "install").stdout


def test_run_hands_on_what_env_says_as_it_stands_there(checkout):
    complete(checkout)
    program(
        checkout / ".venv/bin/classifyd", 'echo "$1 with $CLASSIFYD_INBOX__PATH and $CLASSIFYD_HTTP__PORT"'
    )
    (checkout / ".venv/bin/dotenv").symlink_to(Path(sys.executable).with_name("dotenv"))
    (checkout / ".env").write_text(
        "CLASSIFYD_INBOX__PATH=my pictures\n# a remark\nCLASSIFYD_HTTP__PORT=5001\n"
    )
    ended = make(checkout, "CLASSIFYD_HTTP__PORT=5002", "run")
    assert ended.stdout.splitlines()[-1:] == ["run with my pictures and 5002"], ended.stderr


def test_run_needs_no_env_file(checkout):
    complete(checkout)
    program(checkout / ".venv/bin/classifyd", "echo $1")
    assert make(checkout, "run").stdout == "run\n"


@pytest.fixture
def ci(checkout):
    """Runs .ci/run with a `make` that ends as told."""

    def start(tests, checks):
        program(
            checkout / "bin/make",
            f"""case $1 in
            test) echo "CI is $CI"; echo "{CLOSING}"; echo "and more"; exit {tests} ;;
            check) echo "checked"; exit {checks} ;;
            esac""",
        )
        environment = os.environ | {"PATH": f"{checkout / 'bin'}:{os.environ['PATH']}"}
        environment.pop("CI", None)
        return subprocess.run(
            [checkout / ".ci/run"], env=environment, capture_output=True, text=True, timeout=60, check=False
        )

    return start


@pytest.mark.parametrize(
    ("tests", "checks", "passed"), [(0, 0, True), (1, 0, False), (0, 1, False), (2, 2, False)]
)
def test_ci_fails_when_tests_or_checks_fail(ci, tests, checks, passed):
    assert (ci(tests, checks).returncode == 0) is passed


def test_ci_runs_as_ci_and_ends_with_pytest_s_closing_line(ci):
    lines = ci(0, 0).stdout.splitlines()
    assert "CI is true" in lines
    assert "checked" in lines
    assert lines[-1] == CLOSING
