"""The daemon's life: outages it waits out, stops in order, stops at once, runs that end by themselves."""

import json
import shutil
import signal
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from classifyd.engines.bundled import bundled_model
from classifyd.engines.onnx import OnnxClassifier, OnnxConfig
from tests.integration.test_bad_input import JPEG
from verification.kit.daemon import DaemonProcess, free_port
from verification.kit.serving import ServingStandIn, faults
from verification.kit.serving.over_grpc import GrpcStandIn

BOUND = 60.0
EACH_TRANSPORT = {"params": [ServingStandIn, GrpcStandIn], "ids": ["REST", "gRPC"]}

pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module", **EACH_TRANSPORT)
def serving(request) -> Iterator[ServingStandIn]:
    model = OnnxClassifier(OnnxConfig("resnet", bundled_model("resnet_cifar10"), top_k=10))
    with request.param({"resnet": model}) as server:
        yield server


def serve_with(url: str) -> dict[str, str]:
    labels = str(bundled_model("resnet_cifar10") / "labels.txt")
    return {
        "CLASSIFYD_MODELS__RESNET__ENGINE": "tfserving",
        "CLASSIFYD_MODELS__RESNET__URL": url,
        "CLASSIFYD_MODELS__RESNET__LABELS": labels,
        "CLASSIFYD_MODELS__RESNET__VERSION_REFRESH": "200ms",
        "CLASSIFYD_STOP_TIMEOUT": "4s",
    }


def drop(daemon: DaemonProcess, *names: str) -> None:
    daemon.inbox.mkdir(parents=True, exist_ok=True)
    for name in names:
        (daemon.inbox / f"{name}.part").write_bytes(JPEG)
        (daemon.inbox / f"{name}.part").rename(daemon.inbox / name)


def state_of(daemon: DaemonProcess, part: str) -> bool | None:
    _status, report = daemon.get("/readyz")
    return report["parts"][part]["up"] if report else None


def test_a_model_server_that_is_away_is_waited_for(tmp_path, serving):
    model = OnnxClassifier(OnnxConfig("resnet", bundled_model("resnet_cifar10"), top_k=10))
    away = type(serving)({"resnet": model}, port=free_port())
    daemon = DaemonProcess(tmp_path, serve_with(away.url))
    try:
        daemon.launch()
        daemon.wait_until(lambda: state_of(daemon, "model:resnet") is False, BOUND, "told of the outage")
        drop(daemon, "a.jpg", "b.jpg")
        request = urllib.request.Request(f"{daemon.url}/classify/resnet", JPEG, method="POST")
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(request, timeout=BOUND)
        assert refused.value.code == 503
        assert refused.value.headers["Retry-After"]
        refused.value.close()
        assert daemon.count() == 0
        with away:
            daemon.wait_until(lambda: daemon.count() == 2, BOUND, "caught up")
            assert {row["status"] for row in daemon.rows()} == {"classified"}
            assert state_of(daemon, "model:resnet") is True
            assert daemon.stop() == 0
    finally:
        daemon.__exit__(None, None, None)


def test_what_a_hanging_model_holds_is_taken_up_again_under_the_same_key(tmp_path, serving):
    settings = serve_with(serving.url)
    with DaemonProcess(tmp_path, settings) as daemon:
        serving.script(faults.hang())
        drop(daemon, *(f"{number}.jpg" for number in range(20)))
        claimed = daemon.inbox / ".classifyd" / "claimed"
        daemon.wait_until(lambda: len(list(claimed.rglob("*.jpg"))) == 20, BOUND, "holding all files")
        keys = {f"folder:{path.parent.name}/{path.name}" for path in claimed.rglob("*.jpg")}
        assert daemon.stop() == 0
        assert daemon.count() == 0
        serving.heal()
        daemon.start()
        daemon.wait_until(lambda: daemon.count() == 20, BOUND, "worked off")
        assert daemon.stop() == 0
    assert {row["origin"] for row in daemon.rows()} == keys
    assert len(list(daemon.done.rglob("*.jpg"))) == 20


def test_a_second_signal_ends_at_once(tmp_path, serving):
    settings = {**serve_with(serving.url), "CLASSIFYD_STOP_TIMEOUT": "10m"}
    with DaemonProcess(tmp_path, settings) as daemon:
        serving.script(faults.hang())
        drop(daemon, "a.jpg")
        claimed = daemon.inbox / ".classifyd" / "claimed"
        daemon.wait_until(lambda: len(list(claimed.rglob("*.jpg"))) == 1, BOUND, "holding the file")
        daemon.signal(signal.SIGTERM)
        daemon.wait_until(lambda: "stopping" in daemon.tail(5), BOUND, "stopping")
        daemon.signal(signal.SIGTERM)
        assert daemon.wait() == 128 + signal.SIGTERM
        serving.heal()


def test_once_works_off_what_is_there_and_ends_with_a_summary(tmp_path):
    daemon = DaemonProcess(tmp_path)
    drop(daemon, "a.jpg", "b.jpg")
    (daemon.inbox / "c.jpg").write_bytes(b"no picture")
    daemon.launch("--once")
    assert daemon.wait() == 0, daemon.tail()
    assert "2 classified, 1 rejected" in daemon.tail(1)
    assert len(daemon.rows()) == 3


def test_other_commands_work_beside_the_daemon(tmp_path):
    with DaemonProcess(tmp_path) as daemon:
        drop(daemon, "a.jpg")
        daemon.wait_until(lambda: daemon.count() == 1, BOUND, "at one row")
        (row,) = daemon.rows()
        shown = daemon.command("results", "show", row["id"])
        assert row["sha256"] in shown.stdout, shown
        exported = daemon.command("results", "export", "--format", "jsonl")
        assert json.loads(exported.stdout)["id"] == row["id"]
        assert daemon.command("backup", "copy.db").returncode == 0
        assert (tmp_path / "copy.db").exists()
        checked = daemon.command("check")
        assert checked.returncode == 0, checked
        refused = daemon.command("prune", "--older-than", "1d")
        assert refused.returncode == 2
        assert "Traceback" not in refused.stderr
        assert daemon.stop() == 0
    pruned = daemon.command("prune", "--older-than", "1d")
    assert pruned.returncode == 0, pruned


def test_a_failed_picture_is_requeued(tmp_path):
    with DaemonProcess(tmp_path) as daemon:
        (daemon.inbox / "a.jpg").write_bytes(b"no picture")
        daemon.wait_until((daemon.failed / "a.jpg").exists, BOUND, "set aside")
        (daemon.failed / "a.jpg").write_bytes(JPEG)
        requeued = daemon.command("requeue")
        assert requeued.returncode == 0, requeued
        daemon.wait_until(lambda: daemon.count() == 2, BOUND, "classified")
        assert daemon.stop() == 0
    assert [row["status"] for row in daemon.rows()] == ["rejected", "classified"]
    assert list(daemon.failed.iterdir()) == []


def test_copied_models_are_used(tmp_path):
    shutil.copytree(bundled_model("resnet_cifar10"), tmp_path / "model", ignore=shutil.ignore_patterns("1"))
    settings = {"CLASSIFYD_MODELS__RESNET__PATH": "model", "CLASSIFYD_MODELS__RESNET__TOP_K": "2"}
    with DaemonProcess(tmp_path, settings) as daemon:
        drop(daemon, "a.jpg")
        daemon.wait_until(lambda: daemon.count() == 1, BOUND, "at one row")
        assert daemon.stop() == 0
    assert len(json.loads(daemon.rows()[0]["top"])) == 2


def test_paths_are_of_the_working_directory(tmp_path: Path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    daemon = DaemonProcess(tmp_path)
    daemon.inbox = elsewhere
    drop(daemon, "a.jpg")
    daemon.launch("--inbox", "elsewhere", "--once")
    assert daemon.wait() == 0, daemon.tail()
    assert [row["name"] for row in daemon.rows()] == ["a.jpg"]
