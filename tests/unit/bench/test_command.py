"""`python -m verification.bench`: what it prints and how it ends."""

import json
import sys

import pytest

from verification.bench import __main__ as command
from verification.bench.figures import Figure, at_least


def missed(_scale, _folder):
    sys.stdout.write("a library says something\n")
    return [Figure("speed", "pictures/s", 1.0, 2.0, 0.5, at_least(1))]


def broken(_scale, _folder):
    raise RuntimeError("no broker")


@pytest.fixture
def bench(monkeypatch, capsys):
    def run(*arguments):
        monkeypatch.setattr(command, "MEASUREMENTS", {"broken": broken, "missed": missed})
        monkeypatch.setattr(sys, "argv", ["bench", *arguments])
        return command.main(), capsys.readouterr()

    return run


def test_a_missed_target_is_a_finding(bench):
    code, told = bench("missed")
    assert code == 0
    assert "missed" in told.out


def test_what_does_not_run_is_said_and_the_rest_is_measured(bench):
    code, told = bench()
    assert code == 1
    assert told.err.splitlines()[-1] == "broken did not run: no broker"
    assert "speed" in told.out


def test_json_holds_nothing_but_the_figures(bench):
    code, told = bench("--json", "missed")
    assert code == 0
    [measurement] = json.loads(told.out)
    assert measurement["name"] == "missed"
    assert measurement["seconds"] >= 0
    assert measurement["figures"] == [
        {
            "name": "speed",
            "unit": "pictures/s",
            "value": 1.0,
            "against": 2.0,
            "ratio": 0.5,
            "target": "≥ 1",
            "met": False,
        }
    ]


def test_an_unknown_name_is_refused(bench, capsys):
    with pytest.raises(SystemExit):
        bench("brocken")
    assert "no measurement brocken" in capsys.readouterr().err
