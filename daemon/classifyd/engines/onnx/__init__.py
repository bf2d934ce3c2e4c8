"""The embedded engine: decodes, prepares and classifies in this process, on ONNX Runtime."""

from classifyd.engines.onnx.classifier import OnnxClassifier, OnnxConfig

__all__ = ["OnnxClassifier", "OnnxConfig"]
