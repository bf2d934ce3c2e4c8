"""Alerts speak of metrics that exist, with labels that they have, and each is explained."""

import re
import shutil
import subprocess

import pytest
import yaml
from prometheus_client import REGISTRY

import classifyd.telemetry.metrics  # noqa: F401 - registers the metrics
from tests.deployment.files import ROOT

FOLDER = ROOT / "config/prometheus"
RULES = [
    rule for group in yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"] for rule in group["rules"]
]
SCRAPED = yaml.safe_load((FOLDER / "prometheus.yml").read_text())


# By every name that a sample may carry: with _total, _bucket, _sum, _count.
EXPORTED = {
    name: {*collector._labelnames, "instance", "job"}
    for name, collector in REGISTRY._names_to_collectors.items()
    if name.startswith("classifyd_")
}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_every_metric_of_a_rule_exists(rule):
    used = set(re.findall(r"\bclassifyd_\w+", rule["expr"]))
    assert used <= EXPORTED.keys()
    assert used or rule["alert"] == "ClassifydAway"


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_every_label_of_a_rule_exists(rule):
    for name, matchers in re.findall(r"\b(classifyd_\w+)\{([^}]*)\}", rule["expr"]):
        assert set(re.findall(r"(\w+)\s*[=!]", matchers)) <= EXPORTED[name]
    shown = set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"]))
    metric = re.search(r"\bclassifyd_\w+", rule["expr"])
    assert shown <= (EXPORTED[metric[0]] if metric else {"instance", "job"})


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_every_alert_is_explained(rule):
    assert rule["alert"] in (ROOT / "docs/operations.md").read_text()


def test_the_rules_are_loaded_and_the_job_is_the_one_they_ask_for():
    assert all((FOLDER / name).is_file() for name in SCRAPED["rule_files"])
    assert "classifyd" in [job["job_name"] for job in SCRAPED["scrape_configs"]]


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is not installed")
@pytest.mark.parametrize(
    "arguments", [["check", "config", "prometheus.yml"], ["test", "rules", "alerts_test.yml"]]
)
def test_promtool_agrees(arguments):
    ended = subprocess.run(
        ["promtool", *arguments], cwd=FOLDER, capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
