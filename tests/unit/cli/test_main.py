"""The console script: how it starts, and how every command's failure ends."""

import os
import signal
import subprocess
import sys

import pytest

import classifyd as package
from classifyd.cli import config
from classifyd.core.errors import ConfigurationError, StoreUnavailable


def test_the_version(classifyd):
    assert classifyd("--version").out == f"classifyd {package.__version__}\n"


def test_without_a_command_there_is_help(classifyd):
    assert "Classifies every JPEG" in classifyd().out


@pytest.mark.parametrize(
    "command",
    [
        "run",
        "classify",
        "results list",
        "results show",
        "results export",
        "check",
        "backup",
        "produce",
        "requeue",
        "prune",
        "config show",
    ],
)
def test_every_command_has_help(classifyd, command):
    ended = classifyd(*command.split(), "--help")
    assert ended.code == 0
    assert "--config" in ended.out


def test_an_unknown_option_is_refused_in_words(classifyd):
    ended = classifyd("run", "--onec")
    assert ended.code == 2
    assert "No such option: --onec" in ended.err
    assert "Traceback" not in ended.err


@pytest.mark.parametrize(
    ("error", "code"), [(ConfigurationError("first\nsecond"), 2), (StoreUnavailable("first\nsecond"), 1)]
)
def test_what_goes_wrong_is_said_in_lines_without_a_traceback(classifyd, monkeypatch, error, code):
    def fail(*_arguments):
        raise error

    monkeypatch.setattr("classifyd.settings.load", fail)
    ended = classifyd("config", "show")
    assert (ended.code, ended.out, ended.err) == (code, "", "classifyd: first\nclassifyd: second\n")


@pytest.mark.parametrize(
    ("error", "place"),
    [(PermissionError(13, "Permission denied", "/private/x"), "/private/x: "), (PermissionError(), "")],
)
def test_a_missing_right_is_said_in_a_line_wherever_it_shows(classifyd, monkeypatch, error, place):
    def fail(*_arguments):
        raise error

    monkeypatch.setattr("classifyd.settings.load", fail)
    ended = classifyd("config", "show")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith(f"classifyd: {place}permission denied: give this user the right")
    assert ended.err.count("\n") == 1


def test_an_interrupt_ends_with_130(classifyd, monkeypatch):
    def interrupt(*_arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr("classifyd.settings.load", interrupt)
    ended = classifyd("config", "show")
    assert ended.code == 130
    assert "Traceback" not in ended.err


def test_config_show_prints_what_holds(classifyd, clean):
    (clean / "mine.toml").write_text("[http]\nport = 8080\napi_key = 's3cret'")
    ended = classifyd("config", "show", "--config", "mine.toml")
    assert "port = 8080" in ended.out
    assert f'path = "{clean}/data/inbox"' in ended.out
    assert "s3cret" not in ended.out
    assert config.app.info.help


def python(code, **options):
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=100, check=False, **options
    )


def test_help_loads_nothing_heavy():
    code = """
import sys
from classifyd.cli import main
sys.argv = ["classifyd", "--help"]
try:
    main()
except SystemExit:
    heavy = {"onnxruntime", "numpy", "kafka", "sqlalchemy", "fastapi", "watchdog", "requests", "pydantic"}
    print("loaded:", sorted(heavy & sys.modules.keys()))
"""
    assert python(code).stdout.endswith("loaded: []\n")


def test_the_shell_completes_commands_and_options():
    environment = {
        **os.environ,
        "_CLASSIFYD_COMPLETE": "complete_bash",
        "COMP_WORDS": "classifyd res",
        "COMP_CWORD": "1",
    }
    found = python("from classifyd.cli import main; main()", env=environment)
    assert found.stdout.split() == ["results"]


def test_a_reader_that_goes_away_is_no_error(recorded):
    """As in `classifyd results export --format jsonl | head -1`."""
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as closed:
        process = subprocess.run(
            [sys.executable, "-m", "classifyd", "results", "export", "--format", "jsonl"],
            stdout=closed,
            stderr=subprocess.PIPE,
            text=True,
            timeout=100,
            check=False,
            preexec_fn=lambda: signal.signal(signal.SIGPIPE, signal.SIG_IGN),
        )
    assert process.stderr == ""
