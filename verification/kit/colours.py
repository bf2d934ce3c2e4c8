"""A model of a few hundred bytes that tells a picture's colour, and pictures that it knows for sure."""

import hashlib
import io
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from PIL import Image as Picture

from classifyd.core.values import Image, Origin, Source

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


def jpeg(colour: str, size: tuple[int, int] = (32, 32), mode: str = "RGB", **options: Any) -> bytes:
    """A JPEG of one colour; `options` are Pillow's (progressive, quality, ...)."""
    encoded = io.BytesIO()
    Picture.new("RGB", size, colour).convert(mode).save(encoded, "JPEG", **options)
    return encoded.getvalue()


def without_segment(data: bytes, marker: int) -> bytes:
    """A JPEG less every segment of a marker (0xDB: quantisation tables, without which none can decode it)."""
    kept, position = bytearray(data[:2]), 2
    while data[position + 1] != 0xDA:
        end = position + 2 + int.from_bytes(data[position + 2 : position + 4])
        if data[position + 1] != marker:
            kept += data[position:end]
        position = end
    return bytes(kept + data[position:])


def image(data: bytes, name: str = "picture.jpg") -> Image:
    """A picture as a source brings it."""
    return Image(
        origin=Origin(Source.HTTP, key=f"http:{name}", name=name),
        data=data,
        sha256=hashlib.sha256(data).hexdigest(),
        size_bytes=len(data),
        width=None,
        height=None,
        received_at=datetime(2026, 1, 1, tzinfo=UTC),
    )
