"""Which signature, input and output of a served model are used: read from its metadata."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from classifyd.core.errors import ConfigurationError

DEFAULT = "serving_default"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the configuration names of it; None is found in the metadata."""

    signature: str | None = None
    input: str | None = None
    output: str | None = None


@dataclass(frozen=True, slots=True)
class Signature:
    """How pictures go in and probabilities come out. `single_output`: answers are the output itself, not an
    object of outputs. `classes` is how many probabilities a picture gets, None where the model does not say.
    """

    name: str
    input: str
    output: str
    single_output: bool
    classes: int | None


def chosen(model: str, metadata: Mapping[str, Any], wanted: Wanted) -> Signature:
    """The signature to use, from the answer to `GET /v1/models/NAME/metadata`.

    Without a choice in `wanted` it is `serving_default`, or the only one; its input must be the only one and
    take encoded pictures (DT_STRING); the output is the one of floating point, or that called
    `probabilities`. Raises ConfigurationError naming what there is, where that does not decide.
    """
    try:
        signatures = metadata["metadata"]["signature_def"]["signature_def"]
        # TensorFlow 2 lists its own initialisation as a signature.
        usable = {name: value for name, value in signatures.items() if not name.startswith("__")}
        name = _signature(model, list(usable), wanted.signature)
        inputs, outputs = usable[name]["inputs"], usable[name]["outputs"]
        output = _output(model, name, outputs, wanted.output)
        return Signature(
            name,
            _input(model, name, inputs, wanted.input),
            output,
            len(outputs) == 1,
            _classes(outputs[output]),
        )
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError) as error:
        raise ConfigurationError(
            f"model {model}: its metadata is not what TensorFlow Serving answers ({error!r}); check `url`"
        ) from error


def _signature(model: str, names: list[str], wanted: str | None) -> str:
    name = wanted or (names[0] if len(names) == 1 else DEFAULT)
    if name not in names:
        raise ConfigurationError(
            f"model {model}: no signature {name!r}; `signature` must be one of: {', '.join(sorted(names))}"
        )
    return name


def _input(model: str, signature: str, inputs: Mapping[str, Any], wanted: str | None) -> str:
    names = ", ".join(sorted(inputs))
    if len(inputs) != 1:
        raise ConfigurationError(
            f"model {model}: signature {signature!r} wants several inputs ({names}); it must take the picture"
            f" and nothing else"
        )
    (name,) = inputs
    if wanted not in (None, name):
        raise ConfigurationError(f"model {model}: no input {wanted!r}; `input` of {signature!r} is: {names}")
    if inputs[name]["dtype"] != "DT_STRING":
        raise ConfigurationError(
            f"model {model}: input {name!r} takes {inputs[name]['dtype']}, not encoded pictures (DT_STRING);"
            f" export it with the decoding in the graph"
        )
    return str(name)


def _output(model: str, signature: str, outputs: Mapping[str, Any], wanted: str | None) -> str:
    floating = [name for name, value in outputs.items() if value["dtype"] in ("DT_FLOAT", "DT_DOUBLE")]
    name = wanted or (floating[0] if len(floating) == 1 else "probabilities")
    if name not in floating:
        raise ConfigurationError(
            f"model {model}: signature {signature!r} has no output {name!r} of probabilities;"
            f" `output` must be one of: {', '.join(sorted(floating)) or 'none'}"
        )
    return name


def _classes(output: Mapping[str, Any]) -> int | None:
    dimensions = output["tensor_shape"].get("dim", [])
    size = int(dimensions[-1]["size"]) if len(dimensions) == 2 else -1
    return size if size > 0 else None
