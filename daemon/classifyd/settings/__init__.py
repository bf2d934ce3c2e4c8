"""Configuration: every setting with its default, where its value comes from, and what is wrong with it.

    settings = load(None, {"inbox": {"path": "/srv/pictures"}})

Defaults < file < environment < command line. `docs/settings.md` describes every key.
"""

from classifyd.settings.kafka import KafkaInput, KafkaOutput, KafkaSettings
from classifyd.settings.load import load
from classifyd.settings.models import ModelSettings, OnnxModel, TfServingModel
from classifyd.settings.root import Settings
from classifyd.settings.show import to_toml
from classifyd.settings.tables import (
    DatabaseSettings,
    HttpSettings,
    InboxSettings,
    IntakeSettings,
    LimitSettings,
    LogSettings,
)

__all__ = [
    "DatabaseSettings",
    "HttpSettings",
    "InboxSettings",
    "IntakeSettings",
    "KafkaInput",
    "KafkaOutput",
    "KafkaSettings",
    "LimitSettings",
    "LogSettings",
    "ModelSettings",
    "OnnxModel",
    "Settings",
    "TfServingModel",
    "load",
    "to_toml",
]
