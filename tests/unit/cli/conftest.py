"""The console script, run in this process in an empty folder."""

import os
import sys
from dataclasses import dataclass

import pytest

from classifyd.cli import main
from classifyd.store import Database
from tests.unit.store.samples import CAT, NOON, TORN, result
from tests.unit.telemetry.conftest import isolated_logging as isolated_logging


@dataclass(frozen=True)
class Ended:
    code: int
    out: str
    err: str


@pytest.fixture(autouse=True)
def clean(tmp_path, monkeypatch, isolated_logging):
    for name in [name for name in os.environ if name.upper().startswith("CLASSIFYD_")]:
        monkeypatch.delenv(name)
    for name in ("FORCE_COLOR", "GITHUB_ACTIONS", "PY_COLORS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def classifyd(monkeypatch, capsys):
    """Runs the console script's function with arguments; tells how it ended."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["classifyd", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        return Ended(ended.value.code or 0, printed.out, printed.err)

    return run


@pytest.fixture
def recorded(clean, capsys):
    """The default database with three results, oldest first; the second is a rejection."""
    results = [
        result("first.jpg", CAT, number=1, at=NOON.replace(hour=10)),
        result("=1+1.jpg", TORN, number=2, at=NOON.replace(hour=11)),
        result("[red]third.jpg", CAT, number=3, at=NOON),
    ]
    database = Database.open("sqlite:///data/classifyd.db", lambda: NOON)
    database.store.write([(one, ()) for one in results], ())
    database.close()
    capsys.readouterr()
    return results
