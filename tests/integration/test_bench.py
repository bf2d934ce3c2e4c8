"""The benchmarks run. What they find is never judged here: that depends on the machine."""

import os
import subprocess
import sys

import orjson
import pytest

from verification.bench import stages
from verification.bench.__main__ import MEASUREMENTS
from verification.bench.embedded import CIFAR
from verification.bench.processes import CHECKOUT
from verification.bench.sampling import SamplingRefused
from verification.bench.scale import SHORT

BOUND = 300.0

pytestmark = pytest.mark.timeout(BOUND + 60)


@pytest.fixture
def needed(request, name):
    """Skips where something is missing that the measurement needs; with CI=true it fails for want of it."""
    if name == "records":
        request.getfixturevalue("broker")
    if name == "small" and not CIFAR.exists() and os.environ.get("CI") != "true":
        pytest.skip(f"the CIFAR-10 pictures are not at {CIFAR}")


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.kafka] * (name == "records")) for name in MEASUREMENTS]
)
@pytest.mark.usefixtures("needed")
def test_the_short_form_runs(name):
    ended = subprocess.run(
        [sys.executable, "-m", "verification.bench", "--short", "--json", name],
        cwd=CHECKOUT,
        capture_output=True,
        timeout=BOUND,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr.decode()
    [measurement] = orjson.loads(ended.stdout)
    assert measurement["name"] == name
    assert measurement["figures"]


def test_stages_are_told_by_thread_where_the_system_lets_nobody_look(tmp_path, monkeypatch, capsys):
    def refused(_pid):
        raise SamplingRefused("Permission denied")

    monkeypatch.setattr(stages, "thread_names", refused)
    kinds = {figure.name.split()[0] for figure in stages.measure(SHORT, tmp_path)}
    assert "thread" in kinds
    assert "stage" not in kinds
    assert "Permission denied" in capsys.readouterr().err
