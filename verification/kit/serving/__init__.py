"""A stand-in for TensorFlow Serving: its REST protocol over the embedded engine, with faults to order.

In a test:

    with ServingStandIn({"resnet": classifier}) as server:
        server.script(faults.status(503, "busy"), times=2)

As a model server for development: `python -m verification.kit.serving --port 8501`.
"""

from verification.kit.serving.server import ServingStandIn

__all__ = ["ServingStandIn"]
