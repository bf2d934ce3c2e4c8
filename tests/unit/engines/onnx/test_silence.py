"""The engine keeps to itself."""

import os
import subprocess
import sys
from pathlib import Path

ENGINE = """
from classifyd.engines.bundled import bundled_model
from classifyd.engines.onnx import OnnxClassifier, OnnxConfig
from verification.kit.pictures import image, jpeg
print(OnnxClassifier(OnnxConfig("resnet", bundled_model("resnet_cifar10"))).classify([image(jpeg("red"))]))
"""


def test_the_runtime_keeps_no_reports_for_its_maker(tmp_path: Path):
    environment = {**os.environ, "HOME": str(tmp_path)}
    environment.pop("ORT_DISABLE_TELEMETRY", None)
    ran = subprocess.run(
        [sys.executable, "-c", ENGINE],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert "Prediction" in ran.stdout, ran.stderr
    assert list(tmp_path.rglob("*")) == []
