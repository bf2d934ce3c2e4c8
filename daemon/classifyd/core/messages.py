"""The messages that leave the daemon: outcomes as CloudEvents, and dead letters.

Outcomes follow CloudEvents 1.0 in the binary mode of its Kafka protocol binding (section 3.2): attributes
in `ce_` headers, the content type in `content-type`, the document in the value.
"""

from dataclasses import replace

import orjson

from classifyd.core.documents import document
from classifyd.core.times import utc_text
from classifyd.core.values import Image, Message, Record, Rejected, Result, Source

CLASSIFIED = "classifyd.image.classified.v1"
REJECTED = "classifyd.image.rejected.v1"
PREFIX = "classifyd-"

_SPECVERSION = ("ce_specversion", b"1.0")
_TYPE_CLASSIFIED = ("ce_type", CLASSIFIED.encode())
_TYPE_REJECTED = ("ce_type", REJECTED.encode())
_CONTENT_TYPE = ("content-type", b"application/json")

_NULL = "null"
_OMITTED = "-omitted"
_VALUE = "value"
_HEADER = "header:"
_KEPT = frozenset(
    PREFIX + name
    for name in ("id", "origin", "reason", "detail", "topic", "partition", "offset")  # no list of nulls
) | {PREFIX + part + _OMITTED for part in (_VALUE, "headers", "key")}

LONGEST_KEY = 4096
"""Bytes of a record's key that an outcome's message repeats: with a longer one it could be larger than its
topic takes, and would hold up all that follow."""


def outcome_message(result: Result, image: Image, topic: str, instance: str) -> Message:
    """The message that tells an outcome. Its key is the Kafka record's key or the path in the inbox.

    `instance` is the ULID that names the daemon in `ce_source`.
    """
    headers = [
        _SPECVERSION,
        ("ce_id", result.id.encode()),
        ("ce_source", b"urn:classifyd:" + instance.encode()),
        _TYPE_REJECTED if isinstance(result.outcome, Rejected) else _TYPE_CLASSIFIED,
        ("ce_time", utc_text(result.classified_at).encode()),
        _CONTENT_TYPE,
    ]
    if result.origin.name:  # a subject may be missing, not empty (CloudEvents 1.0, section "subject")
        headers.append(("ce_subject", result.origin.name.encode()))
    if image.traceparent is not None:
        headers.append(("traceparent", image.traceparent.encode()))
    return Message(topic, _key(image), tuple(headers), orjson.dumps(document(result)))


def dead_letter(result: Result, record: Record, topic: str) -> Message:
    """The rejected record as it came, with its origin and the reason in `classifyd-*` headers.

    A message's headers and value cannot be null, so nulls become empty bytes and are named in
    `classifyd-null` (`value`, or `header:` and the header's place).
    """
    outcome = result.outcome
    assert isinstance(outcome, Rejected), "only rejected records become dead letters"
    own = [
        ("id", result.id),
        ("origin", result.origin.key),
        ("reason", outcome.reason.value),
        ("detail", outcome.detail),
        ("topic", record.topic),
        ("partition", str(record.partition)),
        ("offset", str(record.offset)),
    ]
    if nulls := _nulls(record):
        own.append((_NULL, ",".join(nulls)))
    return Message(
        topic=topic,
        key=record.key,
        headers=(
            *((name, value or b"") for name, value in record.headers),
            *((PREFIX + name, text.encode()) for name, text in own),
        ),
        value=record.value or b"",
    )


def reduced(message: Message) -> Message | None:
    """The next smaller form of a dead letter that is larger than the broker takes: without its value, then
    without the record's headers, then without its key. `classifyd-value-omitted` and its like tell the bytes
    that are missing.

    None for what has no smaller form: an outcome goes out whole or not at all.
    """
    kept = {name: value for name, value in message.headers if name in _KEPT}
    if not kept:
        return None
    if message.value:
        return replace(message, headers=(*message.headers, _omitted(_VALUE, len(message.value))), value=b"")
    if len(kept) < len(message.headers):
        size = sum(len(name.encode()) + len(value) for name, value in message.headers if name not in kept)
        return replace(message, headers=(*kept.items(), _omitted("headers", size)))
    if message.key:
        return replace(message, headers=(*kept.items(), _omitted("key", len(message.key))), key=None)
    return None


def restored(letter: Record) -> Record | None:
    """The record that a dead letter was made from, with the topic, key, headers and value it had.

    None where the letter does not carry all of it, or is no dead letter of ours.
    """
    told = {
        name.removeprefix(PREFIX): (value or b"").decode("utf-8", "replace")
        for name, value in letter.headers
        if name.startswith(PREFIX)
    }
    topic, partition, offset = (told.get(name, "") for name in ("topic", "partition", "offset"))
    if any(name.endswith(_OMITTED) for name in told) or not (
        topic and partition.isdecimal() and offset.isdecimal()
    ):
        return None
    nulls = frozenset(told.get(_NULL, "").split(","))
    headers = (header for header in letter.headers if not header[0].startswith(PREFIX))
    return Record(
        topic=topic,
        partition=int(partition),
        offset=int(offset),
        key=letter.key,
        value=None if _VALUE in nulls else letter.value,
        headers=tuple(
            (name, None if f"{_HEADER}{place}" in nulls else value)
            for place, (name, value) in enumerate(headers)
        ),
    )


def _omitted(part: str, size: int) -> tuple[str, bytes]:
    return PREFIX + part + _OMITTED, str(size).encode()


def _key(image: Image) -> bytes | None:
    if image.record is not None:
        key = image.record.key
        return None if key is not None and len(key) > LONGEST_KEY else key
    if image.origin.source is Source.FOLDER and image.origin.path is not None:
        return image.origin.path.encode()
    return None


def _nulls(record: Record) -> list[str]:
    headers = [f"{_HEADER}{place}" for place, (_name, value) in enumerate(record.headers) if value is None]
    return ([_VALUE] if record.value is None else []) + headers
