"""A model of a few hundred bytes that tells a picture's colour: its answers are known for sure."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

LABELS = ("red", "green", "blue", "black")
SIDE = 8


def write_colour_model(
    folder: Path,
    *,
    nchw: bool = False,
    logits: bool = False,
    batch: int | str = "batch",
    labels: tuple[str, ...] = LABELS,
    card: str = "",
) -> Path:
    """Writes a model folder: the mean colour, weighed into four classes. `card` goes before its tables.
    Returns the folder."""
    shape = (batch, 3, SIDE, SIDE) if nchw else (batch, SIDE, SIDE, 3)
    weights = np.array([[4, -2, -2, -4], [-2, 4, -2, -4], [-2, -2, 4, -4]], np.float32)
    nodes = [
        helper.make_node("ReduceMean", ["pixels", "axes"], ["colour"], keepdims=0),
        helper.make_node("MatMul", ["colour", "weights"], ["weighed"]),
        helper.make_node("Identity" if logits else "Softmax", ["weighed"], ["classes"]),
    ]
    graph = helper.make_graph(
        nodes,
        "colours",
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("classes", TensorProto.FLOAT, (batch, 4))],
        [
            numpy_helper.from_array(np.array([2, 3] if nchw else [1, 2], np.int64), "axes"),
            numpy_helper.from_array(weights, "weights"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(model, folder / "model.onnx")
    (folder / "labels.txt").write_text("\n".join(labels) + "\n")
    (folder / "model.toml").write_text(
        f'name = "colours"\ntitle = "Colours"\nversion = "7"\nlicence = "CC0-1.0"\nsource = "a test"\n'
        f'output = "{"logits" if logits else "probabilities"}"\n{card}\n'
        f"[preprocessing]\nresize = [{SIDE}, {SIDE}]\nscale = 0.00392156862745098\n"
        f'mean = [0.1, 0.1, 0.1]\nlayout = "{"NCHW" if nchw else "NHWC"}"\n'
    )
    return folder
