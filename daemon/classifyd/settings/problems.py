"""Validation errors as lines for a person: where, which key, what is wrong, what to do."""

from collections.abc import Iterator, Sequence

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from classifyd.settings.keys import nearest
from classifyd.settings.layers import Layer, Location
from classifyd.settings.models import ENGINES
from classifyd.settings.secrets import SECRETS


def describe(error: ValidationError, layers: Sequence[Layer]) -> Iterator[str]:
    """One line for each problem."""
    seen: set[str] = set()
    for detail in error.errors(include_url=False):
        location = _location(detail["loc"])
        line = located(location, _what(detail, location, layers), layers)
        if line not in seen:
            seen.add(line)
            yield line


def located(location: Location, what: str, layers: Sequence[Layer]) -> str:
    """What is wrong, after the source that gives the value and the key as it is written there."""
    layer = _giver(location, layers)
    return f"{layer.origin}: {layer.key(location)}: {what}"


def _giver(location: Location, layers: Sequence[Layer]) -> Layer:
    """The source that gives the value; for one that is missing, the source that gives most of its tables."""
    places = (location[:depth] for depth in range(len(location), -1, -1))
    return next(layer for place in places for layer in reversed(layers) if layer.holds(place))


def _location(parts: tuple[int | str, ...]) -> Location:
    """A place in the configuration file, without the names that the union of the engines adds."""
    if parts[:1] == ("models",) and len(parts) > 2 and parts[2] in ENGINES:
        return parts[:2] + parts[3:4]
    return tuple(part for part in parts if part != "[key]")


def _what(detail: ErrorDetails, location: Location, layers: Sequence[Layer]) -> str:
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "extra_forbidden":
        key = ".".join(map(str, location))
        near = nearest(key)
        if near == key:
            return "belongs to the other engine: set the model's engine, or remove this key"
        return f"unknown key; the nearest known one is {_giver(location, layers).key(tuple(near.split('.')))}"
    if kind == "value_error":
        return str(context["error"])
    if kind == "missing":
        return "is missing: set it"
    if kind == "union_tag_invalid":
        return f"unknown engine {context['tag']!r}; known are {', '.join(ENGINES)}"
    if kind == "tuple_type":
        return "must be a list of texts"
    if kind == "string_pattern_mismatch" and location[0] == "models":
        return f"{detail['input']!r} is not understood: it must match {context['pattern']}"
    if kind in ("model_type", "model_attributes_type", "dict_type", "union_tag_not_found"):
        return "must be a table"
    message = detail["msg"].replace("Input should", "must").replace("Input is not", "must be").rstrip(".")
    secret = location[-1] in SECRETS
    shown = isinstance(detail["input"], str | int | float) and not secret
    return f"{message}, not {detail['input']!r}" if shown else message
