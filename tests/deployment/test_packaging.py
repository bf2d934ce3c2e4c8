"""The wheel carries everything that `classifyd run` needs, and the versions are locked without a trace of
where they were locked."""

import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import classifyd
from tests.deployment.files import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """A folder as pip would fill it from the wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True, timeout=100)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def run(site: Path, *arguments: str) -> str:
    """What a Python that finds the installed package first prints, outside the checkout."""
    # Without the coverage of subprocesses: this copy of the code is not the one that is measured.
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("CLASSIFYD_", "COVERAGE_"))
    }
    ended = subprocess.run(
        [sys.executable, *arguments],
        cwd=site.parent,
        env=environment | {"PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_the_installed_command_runs_outside_the_checkout(installed):
    assert run(installed, "-m", "classifyd", "--version") == f"classifyd {classifyd.__version__}\n"
    assert str(installed.parent / "data") in run(installed, "-m", "classifyd", "config", "show")


def test_the_installed_package_finds_its_own_model_and_catalog(installed):
    code = "from classifyd.engines.bundled import bundled_model; print(bundled_model('resnet_cifar10'))"
    assert run(installed, "-c", code).strip() == str(installed / "classifyd/bundled/resnet_cifar10")
    assert "resnet50_v2_tfserving" in run(installed, "-m", "classifyd", "models", "list")


def test_the_wheel_holds_the_package_and_nothing_else(installed):
    assert {path.name.partition("-")[0] for path in installed.iterdir()} == {"classifyd"}
    code = ROOT / "daemon/classifyd"
    missing = [
        path
        for path in code.rglob("*")
        if path.is_file()
        and "__pycache__" not in path.parts
        and not (installed / "classifyd" / path.relative_to(code)).exists()
    ]
    assert missing == []


@pytest.fixture
def locked() -> str:
    return (ROOT / "constraints.txt").read_text()


def test_every_dependency_is_locked(locked):
    asked = [
        *PROJECT["dependencies"],
        *(name for extra in PROJECT["optional-dependencies"].values() for name in extra),
    ]
    pinned = {line.split("==")[0] for line in locked.splitlines() if "==" in line}
    assert {re.split(r"[;\s\[<>=~!]", requirement)[0] for requirement in asked} <= pinned


def test_the_lock_names_no_address_and_no_path(locked):
    assert not re.search(r"://|--|^-|(?<![\w.])/\w", locked, re.MULTILINE)
