"""The model card: `model.toml` in a model's folder says what the model is and what it wants to see.

    name = "resnet_cifar10"             # required; letters, digits, `_`, `-`, `.`
    title = "CIFAR-10 ResNet v2"        # required; what a person calls it
    task = "image-classification"       # the only task there is
    version = "1"                       # the version that results carry [1]
    licence = "Apache-2.0"              # required; SPDX identifier, or a sentence
    source = "https://…"                # required; where it comes from, or how it was made
    model = "model.onnx"                # the ONNX file, beside the card [model.onnx]
    labels = "labels.txt"               # one label a line, UTF-8, in the order of the outputs [labels.txt]
    output = "probabilities"            # or "logits": a softmax is applied then [probabilities]

    [preprocessing]                     # what the embedded engine does to a decoded picture, in this order
    resize = [32, 32]                   # exactly height, width; or 256: the shorter side, aspect kept
    crop = 224                          # a central square of this side [none; required after resize = N]
    scale = 0.00392156862745098         # factor on the pixel values 0..255 [1.0]
    mean = [125.3, 123.0, 113.9]        # per channel R, G, B, after scale [0, 0, 0]
    std = [63.0, 62.1, 66.7]            # likewise: (pixel * scale - mean) / std [1, 1, 1]
    layout = "NHWC"                     # or "NCHW" [NHWC]

    [preprocessing.reduction]           # large JPEGs may be decoded at 1/2, 1/4 or 1/8 [absent: never]
    at_least = 4                        # as long as that leaves so many times the size that `resize` makes
    tolerance = 10                      # by how much that was seen to change a value of the model's input
    mean_tolerance = 2                  # at most, and a picture's on average; in units of 0..255

    [checksums]                         # SHA-256 of files in the folder, by relative path
    "model.onnx" = "0123…"

    [accuracy]                          # measured, for people; any keys
    dataset = "CIFAR-10 test"
    top1 = 0.90

A folder for TensorFlow Serving alone may leave `preprocessing` out: its graph takes the encoded picture.
Unknown keys are errors.
"""

import tomllib
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, ValidationError, model_validator

from classifyd.core.errors import ConfigurationError

CARD = "model.toml"

Channels = tuple[float, float, float]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
FileName = Annotated[str, Field(pattern=r"^[^/\\]+$")]


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Reduction(_Table):
    """When a picture may be decoded at a reduced scale, and what that costs; keys as in the module's
    description."""

    at_least: Annotated[float, Field(ge=1)]
    tolerance: Annotated[float, Field(ge=0)]
    mean_tolerance: Annotated[float, Field(ge=0)]


class Preprocessing(_Table):
    """What happens to a decoded RGB picture; keys as in the module's description."""

    resize: PositiveInt | tuple[PositiveInt, PositiveInt]
    crop: PositiveInt | None = None
    scale: Annotated[float, Field(gt=0)] = 1.0
    mean: Channels = (0.0, 0.0, 0.0)
    std: Channels = (1.0, 1.0, 1.0)
    layout: Literal["NHWC", "NCHW"] = "NHWC"
    reduction: Reduction | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Height and width, in pixels, of what the model sees."""
        if self.crop is not None:
            return self.crop, self.crop
        assert isinstance(self.resize, tuple)  # the validator below saw to it
        return self.resize

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if isinstance(self.resize, int) and self.crop is None:
            raise ValueError("resize = N keeps the aspect, so crop must say what square is taken")
        shorter = self.resize if isinstance(self.resize, int) else min(self.resize)
        if self.crop is not None and self.crop > shorter:
            raise ValueError(f"crop = {self.crop} is larger than the resized picture")
        if 0 in self.std:
            raise ValueError("std must not be 0")
        return self


class ModelCard(_Table):
    """A model card; keys as in the module's description."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+$")]
    title: str
    task: Literal["image-classification"] = "image-classification"
    version: str = "1"
    licence: str
    source: str
    model: FileName = "model.onnx"
    labels: FileName = "labels.txt"
    output: Literal["probabilities", "logits"] = "probabilities"
    preprocessing: Preprocessing | None = None
    checksums: dict[str, Sha256] = Field(default_factory=dict)
    accuracy: dict[str, str | int | float] = Field(default_factory=dict)


def read_card(folder: Path) -> ModelCard:
    """The card of a model's folder. Raises ConfigurationError naming the file, the key and the fault."""
    path = folder / CARD
    try:
        return ModelCard.model_validate(tomllib.loads(path.read_text("utf-8")))
    except OSError as error:
        raise ConfigurationError(
            f"{path}: cannot be read ({error.strerror}); a model's folder holds {CARD}, labels and the model"
        ) from error
    except ValidationError as error:
        raise ConfigurationError(f"{path}: {_first_fault(error)}") from error
    except ValueError as error:  # not TOML, or not UTF-8
        raise ConfigurationError(f"{path}: not valid TOML: {error}") from error


def _first_fault(error: ValidationError) -> str:
    fault = error.errors(include_url=False)[0]
    key = ".".join(str(part) for part in fault["loc"])
    text = fault["msg"].removeprefix("Value error, ")
    return f"{key}: {text}" if key else text
