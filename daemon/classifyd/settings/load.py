"""Reads the configuration, and tells what is wrong with it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from classifyd.core.errors import ConfigurationError
from classifyd.settings.checks import conflicts
from classifyd.settings.layers import Layer, from_environment, from_file, merged
from classifyd.settings.problems import describe, located
from classifyd.settings.root import DEFAULT_MODEL, Settings


def load(config_path: Path | None, overrides: Mapping[str, Any], model_url: str | None = None) -> Settings:
    """The settings of defaults < file < environment < command line.

    `config_path` is the file asked for; None means `$CLASSIFYD_CONFIG`, else `config/classifyd.toml`, else
    `/etc/classifyd/classifyd.toml`, else no file. `overrides` is the command line's, nested as the file is.
    `model_url` is the address of a TensorFlow Serving for the default model, over everything else.

    Raises ConfigurationError with one line for each problem: where, which key, what is wrong, what to do.
    """
    layers = [layer for layer in (from_file(config_path), from_environment()) if layer]
    layers.append(Layer("command line", overrides))
    if model_url is not None:
        model = merged(layers).get("default_model", DEFAULT_MODEL)
        layers.append(Layer("command line", {"models": {model: {"engine": "tfserving", "url": model_url}}}))
    try:
        settings = Settings(**merged(layers))
    except ValidationError as error:
        raise ConfigurationError("\n".join(describe(error, layers))) from None
    problems = [located(location, what, layers) for location, what in conflicts(settings)]
    if problems:
        raise ConfigurationError("\n".join(problems))
    return settings
