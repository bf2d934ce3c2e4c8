"""The tables of the configuration file that concern one part of the daemon each."""

import re
from pathlib import Path
from typing import Literal

from pydantic import SecretStr, field_validator

from classifyd.settings.secrets import Secret, TableWithSecrets
from classifyd.settings.types import (
    AbsolutePath,
    Count,
    Duration,
    Interval,
    Name,
    Pixels,
    Port,
    Size,
    Table,
    Texts,
)

_CONTROL = re.compile("[\x00-\x1f\x7f]")
_IN_MEMORY = ("sqlite://", "sqlite:///", "sqlite:///:memory:")


class InboxSettings(Table):
    """`[inbox]`: the folder whose pictures are classified."""

    enabled: bool = True
    path: AbsolutePath = Path("data/inbox")
    recursive: bool = True
    watch: Literal["auto", "native", "poll"] = "auto"
    poll_interval: Interval = 5.0
    settle_time: Duration = 1.0
    incomplete_timeout: Duration = 60.0
    rescan_interval: Interval = 300.0
    include: Texts = ("*.jpg", "*.jpeg", "*.jpe", "*.jfif")
    ignore: Texts = (".*", "*~", "~*", "*.part", "*.tmp", "*.filepart", "*.crdownload", "@eaDir", ".stfolder")
    after: Literal["move", "delete", "keep"] = "move"
    done: AbsolutePath = Path("data/done")
    failed: AbsolutePath = Path("data/failed")
    model: Name = "resnet"


class DatabaseSettings(Table):
    """`[database]`: where outcomes are recorded."""

    url: str = "sqlite:///data/classifyd.db"
    outbox_retention: Duration = 86_400.0

    @field_validator("url")
    @classmethod
    def _absolute_file(cls, url: str) -> str:
        if not url.startswith("sqlite:") or url in _IN_MEMORY or not url.startswith("sqlite:///"):
            raise ValueError("must name a SQLite file, such as sqlite:///data/classifyd.db")
        return f"sqlite:///{Path(url.removeprefix('sqlite:///')).expanduser().absolute()}"


class HttpSettings(TableWithSecrets):
    """`[http]`: the HTTP interface."""

    enabled: bool = True
    host: Name = "127.0.0.1"
    port: Port = 5000
    record: bool = True
    publish: bool = False
    deadline: Interval = 30.0
    client_timeout: Interval = 10.0
    max_connections: Count = 512
    api_key: Secret | None = None
    api_key_file: AbsolutePath | None = None

    @field_validator("api_key")
    @classmethod
    def _fits_into_a_header(cls, key: SecretStr | None) -> SecretStr | None:
        text = "" if key is None else key.get_secret_value()
        if text != text.strip() or _CONTROL.search(text):  # RFC 9110, section 5.5
            raise ValueError("has spaces around it or control characters in it: no client could send it")
        return key


class LimitSettings(Table):
    """`[limits]`: what a single picture may cost."""

    max_bytes: Size = 64 * 2**20
    max_pixels: Pixels = 128_000_000
    max_scans: Count = 64


class IntakeSettings(Table):
    """`[intake]`: how much may be under way at once, per model."""

    max_items: Count = 1024
    max_bytes: Size = 256 * 2**20


class LogSettings(Table):
    """`[log]`: what is told on standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "console", "json"] = "auto"
