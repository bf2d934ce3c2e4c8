"""The engine that asks a TensorFlow Serving over REST or gRPC."""

from classifyd.engines.tfserving.classifier import TFServingClassifier, TFServingConfig

__all__ = ["TFServingClassifier", "TFServingConfig"]
