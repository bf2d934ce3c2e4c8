"""The systemd unit: its own user, a bounded stop above the daemon's own, no restart on a wrong setting."""

import re
import shutil
import subprocess

import pytest

from classifyd.cli import EXIT_CONFIGURATION
from classifyd.settings import load
from classifyd.settings.units import duration
from tests.deployment.files import ROOT

UNIT = (ROOT / "config/systemd/classifyd.service").read_text()


def values(key: str) -> list[str]:
    return re.findall(rf"^{key}=(.*)$", UNIT, re.MULTILINE)


def test_it_runs_as_a_user_of_its_own_with_a_folder_of_its_own():
    assert values("User") == ["classifyd"]
    assert values("StateDirectory") == ["classifyd"]
    assert values("WorkingDirectory") == ["%S/classifyd"]


def test_the_environment_file_may_be_missing():
    (path,) = values("EnvironmentFile")
    assert path.startswith("-/etc/classifyd/")


def test_systemd_waits_longer_than_the_daemon_does(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (bound,) = values("TimeoutStopSec")
    assert duration(bound) > load(None, {}).stop_timeout


def test_a_mistake_in_the_settings_is_not_tried_again():
    assert values("RestartPreventExitStatus") == [str(EXIT_CONFIGURATION)]
    assert values("Restart") == ["on-failure"]


@pytest.mark.parametrize("section", ["Unit", "Service", "Install"])
def test_it_has_every_section(section):
    assert f"\n[{section}]\n" in UNIT


@pytest.mark.parametrize("key", ["NoNewPrivileges", "PrivateDevices", "RestrictSUIDSGID", "LockPersonality"])
def test_it_gives_up_rights_that_it_does_not_need(key):
    assert values(key) == ["yes"]
    assert values("CapabilityBoundingSet") == [""]
    assert values("SystemCallFilter") == ["@system-service"]


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed")
def test_systemd_rates_its_exposure_as_low():
    ended = subprocess.run(
        [
            "systemd-analyze",
            "security",
            "--offline=true",
            "--threshold=25",
            ROOT / "config/systemd/classifyd.service",
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout[-2000:]
