"""The messages that leave the daemon: outcomes as CloudEvents, and dead letters.

Outcomes follow CloudEvents 1.0 in the binary mode of its Kafka protocol binding (section 3.2): attributes
in `ce_` headers, the content type in `content-type`, the document in the value.
"""

from dataclasses import replace

import orjson

from classifyd.core.documents import document
from classifyd.core.times import utc_text
from classifyd.core.values import Image, Message, Record, Rejected, Result, Source, Status

CLASSIFIED = "classifyd.image.classified.v1"
REJECTED = "classifyd.image.rejected.v1"
PREFIX = "classifyd-"

_NULL = "null"
_OMITTED = "value-omitted"
_VALUE = "value"
_HEADER = "header:"


def outcome_message(result: Result, image: Image, topic: str, instance: str) -> Message:
    """The message that tells an outcome. Its key is the Kafka record's key or the path in the inbox.

    `instance` is the ULID that names the daemon in `ce_source`.
    """
    headers = [
        ("ce_specversion", b"1.0"),
        ("ce_id", result.id.encode()),
        ("ce_source", f"urn:classifyd:{instance}".encode()),
        ("ce_type", (CLASSIFIED if result.status is Status.CLASSIFIED else REJECTED).encode()),
        ("ce_time", utc_text(result.classified_at).encode()),
        ("content-type", b"application/json"),
    ]
    if result.origin.name is not None:
        headers.append(("ce_subject", result.origin.name.encode()))
    if image.traceparent is not None:
        headers.append(("traceparent", image.traceparent.encode()))
    return Message(topic, _key(image), tuple(headers), orjson.dumps(document(result)))


def dead_letter(result: Result, record: Record, topic: str, max_value_bytes: int | None = None) -> Message:
    """The rejected record as it came, with its origin and the reason in `classifyd-*` headers.

    A message's headers and value cannot be null, so nulls become empty bytes and are named in
    `classifyd-null` (`value`, or `header:` and the header's place). A value above `max_value_bytes` is
    left out, as `without_value` does.
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
    message = Message(
        topic=topic,
        key=record.key,
        headers=(
            *((name, value or b"") for name, value in record.headers),
            *((PREFIX + name, text.encode()) for name, text in own),
        ),
        value=record.value or b"",
    )
    if max_value_bytes is not None and len(message.value) > max_value_bytes:
        return without_value(message)
    return message


def without_value(message: Message) -> Message:
    """A dead letter whose value the broker would not take: `classifyd-value-omitted` tells its bytes. One
    that is empty already stays as it is."""
    if not message.value:
        return message
    omitted = (PREFIX + _OMITTED, str(len(message.value)).encode())
    return replace(message, headers=(*message.headers, omitted), value=b"")


def restored(letter: Record) -> Record | None:
    """The record that a dead letter was made from, with the topic, key, headers and value it had.

    None where the letter does not carry its value, or is no dead letter of ours.
    """
    told = {
        name.removeprefix(PREFIX): (value or b"").decode("utf-8", "replace")
        for name, value in letter.headers
        if name.startswith(PREFIX)
    }
    topic, partition, offset = (told.get(name, "") for name in ("topic", "partition", "offset"))
    if _OMITTED in told or not (topic and partition.isdecimal() and offset.isdecimal()):
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


def _key(image: Image) -> bytes | None:
    if image.record is not None:
        return image.record.key
    if image.origin.source is Source.FOLDER and image.origin.path is not None:
        return image.origin.path.encode()
    return None


def _nulls(record: Record) -> list[str]:
    headers = [f"{_HEADER}{place}" for place, (_name, value) in enumerate(record.headers) if value is None]
    return ([_VALUE] if record.value is None else []) + headers
