"""Which classifier a model's settings ask for."""

from pathlib import Path

from classifyd.core.ports import Classifier
from classifyd.engines.bundled import bundled_model
from classifyd.engines.onnx import OnnxClassifier, OnnxConfig
from classifyd.engines.onnx.cores import usable_cores
from classifyd.engines.tfserving import TFServingClassifier, TFServingConfig
from classifyd.settings import ModelSettings, OnnxModel

BUNDLED_MODEL = "resnet_cifar10"


def make_classifier(name: str, model: ModelSettings) -> Classifier:
    """The model of this name. Raises ConfigurationError when its files do not fit together."""
    if isinstance(model, OnnxModel):
        return OnnxClassifier(
            OnnxConfig(
                name=name,
                folder=bundled_model(BUNDLED_MODEL) if model.path == "bundled" else Path(model.path),
                labels=model.labels,
                top_k=model.top_k,
                threads=max(1, usable_cores() // model.concurrency),
            )
        )
    return TFServingClassifier(
        TFServingConfig(
            name=name,
            url=model.url,
            model=model.name,
            version=model.version,
            version_refresh=model.version_refresh,
            labels=model.labels,
            signature=model.signature,
            input=model.input,
            output=model.output,
            timeout=model.timeout,
            top_k=model.top_k,
            proxy=model.proxy,
        )
    )
