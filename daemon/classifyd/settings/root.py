"""All settings together, and the defaults that follow from other settings."""

from pathlib import Path
from typing import Any

from pydantic import model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from classifyd.settings.kafka import KafkaSettings
from classifyd.settings.models import ModelSettings, OnnxModel, engine_of
from classifyd.settings.tables import (
    DatabaseSettings,
    HttpSettings,
    InboxSettings,
    IntakeSettings,
    LimitSettings,
    LogSettings,
)
from classifyd.settings.types import AbsolutePath, Interval, ModelName, Name

DEFAULT_MODEL = "resnet"
_DEFAULT_DATA = Path("data")


class Settings(BaseSettings):
    """The daemon's configuration. Durations are seconds, sizes bytes, paths absolute."""

    model_config = SettingsConfigDict(
        extra="forbid",
        frozen=True,
        validate_default=False,
        hide_input_in_errors=True,
        env_prefix="CLASSIFYD_",
        env_nested_delimiter="__",
        env_ignore_empty=True,
        enable_decoding=False,
    )

    data_dir: AbsolutePath = _DEFAULT_DATA
    default_model: Name = DEFAULT_MODEL
    stop_timeout: Interval = 30.0
    once_timeout: Interval = 120.0
    inbox: InboxSettings = InboxSettings()
    kafka: KafkaSettings = KafkaSettings()
    models: dict[ModelName, ModelSettings] = {DEFAULT_MODEL: OnnxModel()}
    database: DatabaseSettings = DatabaseSettings()
    http: HttpSettings = HttpSettings()
    limits: LimitSettings = LimitSettings()
    intake: IntakeSettings = IntakeSettings()
    log: LogSettings = LogSettings()

    @property
    def creates_inbox(self) -> bool:
        """Whether the inbox is the default one, which the daemon makes; another that is missing is waited
        for, because it may be a disk that is not mounted yet."""
        return self.inbox.path == self.data_dir / "inbox"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """What is given, nothing else: `load` layers the sources, for it must name a wrong value's origin."""
        return (init_settings,)

    @model_validator(mode="before")
    @classmethod
    def _derive(cls, data: dict[str, Any]) -> dict[str, Any]:
        """Fills in the defaults that follow from `data_dir`, from `default_model` and from names."""
        given = data.get("data_dir")
        folder = Path(given) if isinstance(given, str | Path) else _DEFAULT_DATA
        named = data.get("default_model")
        model = named if isinstance(named, str) else DEFAULT_MODEL
        derived = {"data_dir": folder, **data}
        derived["inbox"] = _with(
            data.get("inbox"),
            path=folder / "inbox",
            done=folder / "done",
            failed=folder / "failed",
            model=model,
        )
        derived["database"] = _with(data.get("database"), url=f"sqlite:///{folder / 'classifyd.db'}")
        derived["kafka"] = _with(data.get("kafka"))
        if isinstance(derived["kafka"], dict):
            derived["kafka"]["input"] = _with_input(derived["kafka"].get("input"), model)
        derived["models"] = _with_names(data.get("models", {DEFAULT_MODEL: {}}))
        return derived


def _with(table: Any, **defaults: Any) -> Any:
    """The table with what is missing in it; anything but a table as it is, for the validation to refuse."""
    return {**defaults, **table} if isinstance(table, dict) else defaults if table is None else table


def _with_input(table: Any, model: Any) -> Any:
    if isinstance(table, dict) and isinstance(table.get("topic"), str):
        return _with(table, model=model, dead_letter_topic=f"{table['topic']}.dead-letter")
    return _with(table, model=model)


def _with_names(models: Any) -> Any:
    if not isinstance(models, dict):
        return models
    return {
        name: _with(table, name=name)
        if isinstance(table, dict) and engine_of(table) == "tfserving"
        else table
        for name, table in models.items()
    }
