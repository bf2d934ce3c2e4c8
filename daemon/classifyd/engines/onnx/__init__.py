"""The embedded engine: decodes, prepares and classifies in this process, on ONNX Runtime."""

import os

# Since 1.29 ONNX Runtime reports to its maker by default, and keeps a database for that in the user's home.
# It decides when it is imported (https://github.com/microsoft/onnxruntime/pull/27379); who wants it sets 0.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

from classifyd.engines.onnx.classifier import OnnxClassifier, OnnxConfig

__all__ = ["OnnxClassifier", "OnnxConfig"]
