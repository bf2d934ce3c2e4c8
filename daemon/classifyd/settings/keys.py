"""The names of all settings, and the nearest one to a name that does not exist."""

from difflib import SequenceMatcher
from typing import Any

from pydantic import BaseModel

from classifyd.settings.models import OnnxModel, TfServingModel
from classifyd.settings.root import Settings


def known(model: str = "NAME") -> dict[str, Any]:
    """The dotted names of all settings with their fields, those of the models under the name `model`."""
    found = dict(_walk(Settings, ""))
    for engine in (TfServingModel, OnnxModel):
        found |= dict(_walk(engine, f"models.{model}."))
    return found


def nearest(key: str) -> str:
    """The dotted name of a setting or a table that looks most like `key`."""
    parts = key.split(".")
    model = parts[1] if parts[0] == "models" and len(parts) > 2 else "NAME"
    names = known(model).keys()
    tables = {name.rpartition(".")[0] for name in names} - {""}
    return max(sorted(names | tables), key=lambda candidate: _likeness(key, candidate))


def _walk(table: type[BaseModel], prefix: str) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for name, field in table.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            found += _walk(field.annotation, f"{prefix}{name}.")
        elif name != "models":
            found.append((f"{prefix}{name}", field))
    return found


def _likeness(wrong: str, right: str) -> float:
    """By the whole name; by the last part too, for who forgot or mistook the table."""
    whole = SequenceMatcher(None, wrong, right).ratio()
    last = SequenceMatcher(None, wrong.rpartition(".")[2], right.rpartition(".")[2]).ratio()
    return max(whole, 0.95 * last)
