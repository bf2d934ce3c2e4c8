"""`[models.NAME]`: a model and the engine that runs it."""

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Tag

from classifyd.settings.types import (
    AbsolutePath,
    Count,
    ExistingFile,
    Interval,
    ModelUrl,
    Name,
    Size,
    Table,
    Url,
    Version,
)

ENGINES = ("onnx", "tfserving")
BUNDLED: Literal["bundled"] = "bundled"


class _Model(Table):
    engine: str
    labels: ExistingFile | None = None
    max_batch: Count = 32
    max_batch_bytes: Size = 16 * 2**20
    concurrency: Count = 2
    top_k: Count = 5


class OnnxModel(_Model):
    """A model that ONNX Runtime runs in this process. `path` is a model folder, or the bundled model."""

    engine: Literal["onnx"] = "onnx"
    path: Literal["bundled"] | AbsolutePath = BUNDLED


class TfServingModel(_Model):
    """A model that TensorFlow Serving runs. `url` is the server's, `name` the model's on that server."""

    engine: Literal["tfserving"] = "tfserving"
    url: ModelUrl
    name: Name
    version: Version = "latest"
    version_refresh: Interval = 30.0
    signature: Name | None = None
    input: Name | None = None
    output: Name | None = None
    timeout: Interval = 20.0
    proxy: Url | None = None


def engine_of(table: Any) -> Any:
    """The engine of a model's table: named, or told by a server's address."""
    if isinstance(table, dict):
        return table.get("engine") or ("tfserving" if "url" in table else "onnx")
    return getattr(table, "engine", None)


ModelSettings = Annotated[
    Annotated[OnnxModel, Tag("onnx")] | Annotated[TfServingModel, Tag("tfserving")],
    Discriminator(engine_of),
]
