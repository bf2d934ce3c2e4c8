"""Adapters that answer for a model: TensorFlow Serving and ONNX Runtime in process."""
