"""Tries out what the daemon will need, part by part: each is in order, or says why not and what to do."""

import os
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from classifyd.core.errors import ClassifydError, ConfigurationError
from classifyd.core.ports import Classifier
from classifyd.sources.folder.check import check_folders
from classifyd.sources.folder.config import FolderConfig
from classifyd.store import read_only
from classifyd.store.database import refusing
from classifyd.store.mounts import network_file_system
from classifyd.store.schema import head, revision_of
from classifyd.store.sqlite import path_of

BROKER_TIMEOUT_MS = 10_000


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found of one subject; `detail` says what is there, or what is wrong and what to do."""

    subject: str
    ok: bool
    detail: str


def check_inbox(config: FolderConfig) -> Iterator[Finding]:
    """Lists, writes and renames where the daemon would."""
    problems = check_folders(config)
    for problem in problems:
        yield Finding("inbox", False, problem)
    if not problems and not config.path.is_dir():
        yield Finding(
            "inbox", False, f"{config.path} is missing: make it, or mount its disk; it is waited for"
        )
    elif not problems:
        yield Finding("inbox", True, f"{config.path}; afterwards: {config.after}")


def check_database(url: str) -> Finding:
    """Looks whether the daemon could open the database, without locking or upgrading it."""
    return _finding("database", lambda: _database(path_of(url), url))


def check_model(name: str, make: Callable[[], Classifier]) -> Finding:
    """Makes the classifier and asks the model what it is."""
    return _finding(f"model {name}", lambda: _model(make()))


def check_http(try_out: Callable[[], str]) -> Finding:
    """Tries out the address of the HTTP API; `try_out` raises ConfigurationError where it cannot be used."""
    return _finding("http", try_out)


def check_broker(connection: Mapping[str, Any], topics: Collection[str]) -> Iterator[Finding]:
    """Connects to the broker and looks for the topics. `connection` is KafkaConsumer's arguments."""
    servers = ", ".join(connection["bootstrap_servers"])
    try:
        found = _topics(connection)
    except Exception as error:  # noqa: BLE001 - whatever the client says is the finding
        told = f"{servers} cannot be used ({_said(error)}): check address, TLS and SASL settings"
        yield Finding("broker", False, told)
        return
    yield Finding("broker", True, servers)
    missing = "is missing, or hidden from this user: make it, or give the rights; it is waited for"
    for topic in topics:
        there = topic in found
        yield Finding(f"topic {topic}", there, "is there" if there else missing)


def _said(error: Exception) -> str:
    name, text = type(error).__name__, str(error)
    return text if isinstance(error, ClassifydError) or text.startswith(name) else f"{name}: {text}"


def _finding(subject: str, examine: Callable[[], str]) -> Finding:
    try:
        return Finding(subject, True, examine())
    except ClassifydError as error:
        return Finding(subject, False, str(error))


def _database(path: Path, url: str) -> str:
    kind = network_file_system(path)
    if kind is not None:
        raise ConfigurationError(f"{path} lies on a network file system ({kind}): put it on a local disk")
    with refusing(path):
        nearest = next(place for place in (path, *path.parents) if place.exists())
    if nearest != path:
        if not os.access(nearest, os.W_OK | os.X_OK):
            raise ConfigurationError(
                f"{nearest} cannot be written: give this user the right, or move database.url"
            )
        return f"{path} will be made"
    with refusing(path):
        revision = revision_of(path)
    if not os.access(path, os.W_OK):
        raise ConfigurationError(f"{path} cannot be written: give this user the right")
    if revision != head():
        return f"{path} will be upgraded at the next start"
    with read_only(url) as reader:
        return f"{path} holds {sum(reader.counts().values()):,} results"


def _model(classifier: Classifier) -> str:
    try:
        info = classifier.probe()
    finally:
        classifier.close()
    return f"{info.engine}, version {info.version}, {len(info.labels):,} classes"


def _topics(connection: Mapping[str, Any]) -> set[str]:
    from kafka import KafkaConsumer

    from classifyd.kafka_python import opened

    consumer = opened(KafkaConsumer, {**connection, "bootstrap_timeout_ms": BROKER_TIMEOUT_MS})
    try:
        return set(consumer.topics())
    finally:
        consumer.close()
