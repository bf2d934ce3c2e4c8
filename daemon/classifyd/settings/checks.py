"""What must hold between settings."""

from collections.abc import Iterator
from pathlib import Path

from classifyd.settings.layers import Location
from classifyd.settings.root import Settings

Conflict = tuple[Location, str]


def conflicts(settings: Settings) -> Iterator[Conflict]:
    """Every contradiction: the setting to change, and why."""
    yield from _models(settings)
    yield from _folders(settings)
    yield from _kafka(settings)
    if settings.intake.max_bytes < settings.limits.max_bytes:
        yield ("intake", "max_bytes"), "must be at least limits.max_bytes, or the largest picture never fits"
    if settings.http.publish and not settings.http.record:
        yield ("http", "publish"), "needs http.record = true: only what is recorded is published"


def _models(settings: Settings) -> Iterator[Conflict]:
    names = ", ".join(sorted(settings.models)) or "none"
    asked: dict[Location, str] = {("default_model",): settings.default_model}
    if settings.inbox.enabled and settings.inbox.model != settings.default_model:
        asked["inbox", "model"] = settings.inbox.model
    if settings.kafka.input.topic and settings.kafka.input.model != settings.default_model:
        asked["kafka", "input", "model"] = settings.kafka.input.model
    for location, name in asked.items():
        if name not in settings.models:
            yield location, f"there is no model {name!r}; the configured ones are: {names}"


def _folders(settings: Settings) -> Iterator[Conflict]:
    inbox = settings.inbox
    if not inbox.enabled or inbox.after == "keep":
        return
    for name, folder in (("done", inbox.done), ("failed", inbox.failed)):
        if _within(inbox.path, folder):
            yield ("inbox", name), f"{folder} holds the inbox {inbox.path}: choose a folder beside it"
        elif _within(folder, inbox.path / ".classifyd"):
            yield ("inbox", name), f"{folder} lies where claimed files are kept: choose another folder"


def _within(path: Path, folder: Path) -> bool:
    return path.resolve().is_relative_to(folder.resolve())


def _kafka(settings: Settings) -> Iterator[Conflict]:
    kafka = settings.kafka
    read, written, dead = kafka.input.topic, kafka.output.topic, kafka.input.dead_letter_topic
    if read and read == written:
        yield ("kafka", "output", "topic"), f"{written!r} is also read: results would come back as pictures"
    if dead and dead in (read, written):
        yield ("kafka", "input", "dead_letter_topic"), f"{dead!r} is read or written already: choose another"
    if kafka.security_protocol.startswith("SASL") and kafka.sasl_mechanism is None:
        yield ("kafka", "sasl_mechanism"), f"must be set for security_protocol {kafka.security_protocol}"
    if (kafka.sasl_mechanism or "").startswith(("PLAIN", "SCRAM")) and not (
        kafka.sasl_plain_username and kafka.sasl_plain_password
    ):
        yield (
            ("kafka", "sasl_plain_username"),
            f"and sasl_plain_password must be set for {kafka.sasl_mechanism}",
        )
