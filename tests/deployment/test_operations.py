"""docs/operations.md speaks of the parts, settings and reasons that there are."""

import re

import pytest

from classifyd.core.values import Reason
from classifyd.settings import load
from classifyd.settings.keys import known
from classifyd.settings.units import duration
from tests.deployment.files import ROOT

PAGE = (ROOT / "docs/operations.md").read_text()
CODE = re.findall(r"`([^`\n]+)`", PAGE)
TABLES = {key.split(".")[0] for key in known() if "." in key}


def test_every_part_of_readyz_is_explained():
    sources = "".join(path.read_text() for path in (ROOT / "daemon/classifyd/bootstrap").glob("*.py"))
    names = re.findall(r"parts\.register\(f?\"([^\"]+)\"\)", sources)
    assert "folder" in names
    for name in names:
        assert f"| `{name.replace('{name}', '<name>')}` |" in PAGE


@pytest.mark.parametrize("span", [span for span in CODE if re.match(rf"({'|'.join(TABLES)})\.[a-z]", span)])
def test_every_setting_exists(span):
    key = re.split(r"[\s=]", span)[0].replace("models.<name>", "models.NAME")
    assert key in known()


def test_every_duration_s_default_is_the_one_that_holds(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    settings = load(None, {}).model_dump(mode="json")
    told = re.findall(r"`([a-z_]+(?:\.[a-z_]+)*)`\s\[([^\]]+)\]", PAGE)
    assert told
    for key, default in told:
        value = settings
        for part in key.split("."):
            value = value[part]
        assert duration(value) == duration(default), key


def test_the_reasons_that_are_named_exist():
    named = set(CODE) & {"truncated", "not_a_jpeg", "too_large", "too_complex", "model_failed"}
    assert len(named) == 5
    assert named <= set(Reason)
