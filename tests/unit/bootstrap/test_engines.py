"""What the settings of a model make of its engine."""

import pytest

from classifyd.bootstrap import engines
from classifyd.engines.onnx import OnnxClassifier, OnnxConfig
from classifyd.settings import OnnxModel


@pytest.mark.parametrize(("concurrency", "threads"), [(1, 16), (2, 8), (3, 5), (20, 1)])
def test_batches_under_way_at_once_share_the_cores(
    monkeypatch: pytest.MonkeyPatch, concurrency: int, threads: int
) -> None:
    configured: list[OnnxConfig] = []
    monkeypatch.setattr(OnnxClassifier, "__init__", lambda _self, config: configured.append(config))
    monkeypatch.setattr(engines, "usable_cores", lambda: 16)
    engines.make_classifier("resnet", OnnxModel(concurrency=concurrency))
    assert [config.threads for config in configured] == [threads]
