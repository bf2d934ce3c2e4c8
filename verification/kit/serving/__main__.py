"""A model server for development that is not TensorFlow Serving."""

import argparse
import signal
import threading
from pathlib import Path

from classifyd.engines.bundled import bundled_model
from classifyd.engines.card import read_card
from classifyd.engines.labels import read_labels
from classifyd.engines.onnx import OnnxClassifier, OnnxConfig
from verification.kit.serving.server import ServingStandIn


def main() -> None:
    """Serves until SIGTERM or Ctrl-C."""
    parser = argparse.ArgumentParser(
        prog="python -m verification.kit.serving",
        description="A stand-in for TensorFlow Serving: its REST protocol, answered by ONNX Runtime. For"
        " development and tests; production wants TensorFlow Serving itself.",
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8501, help="0: any that is free")
    parser.add_argument("--name", default="resnet", help="the model's name in addresses")
    parser.add_argument("--folder", type=Path, help="a folder with model.toml; default: the bundled model")
    parser.add_argument("--max-batch", type=int, help="refuse larger batches, as --enable_batching does")
    arguments = parser.parse_args()

    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    folder = arguments.folder or bundled_model("resnet_cifar10")
    classes = len(read_labels(folder / read_card(folder).labels))
    classifier = OnnxClassifier(OnnxConfig(arguments.name, folder, top_k=classes))
    with ServingStandIn(
        {arguments.name: classifier}, arguments.host, arguments.port, arguments.max_batch
    ) as server:
        print(f"a stand-in for TensorFlow Serving: {server.url}/v1/models/{arguments.name}", flush=True)
        stopped.wait()


if __name__ == "__main__":
    main()
