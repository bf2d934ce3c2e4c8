"""What a consumer group did, as its broker wrote it down: every commit and every assignment, in order.

The broker keeps both in the topic `__consumer_offsets`. Keys and values are laid out as OffsetCommitKey.json,
OffsetCommitValue.json, GroupMetadataKey.json and GroupMetadataValue.json of Kafka 4.1's group coordinator
say. An assignment inside is laid out as ConsumerProtocolAssignment.json says.
"""

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from verification.faults.evidence import TopicReader

TOPIC = "__consumer_offsets"
_OFFSET_KEYS = (0, 1)
_GROUP_KEY = 2
_GROUP_VERSION = 3


@dataclass(frozen=True, slots=True)
class Commit:
    """The group committed an offset of a partition. `moment` is in milliseconds since 1970, UTC."""

    moment: int
    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class Generation:
    """The group's partitions were given out: who (by `group_instance_id`) holds which from this moment on."""

    moment: int
    number: int
    holders: Mapping[int, str]


Event = Commit | Generation


def read(connection: dict[str, Any], group: str, topic: str) -> list[Event]:
    """All that happened to a topic in a group so far. `connection` are kafka-python's arguments.

    The broker must keep `__consumer_offsets` in one partition (`offsets.topic.num.partitions`), or the order
    of commits and assignments could not be told.
    """
    with TopicReader(connection, TOPIC) as reader:
        return [
            event
            for record in reader.records()
            for event in parsed(record.key, record.value, record.timestamp, group, topic)
        ]


def parsed(key: bytes, value: bytes | None, moment: int, group: str, topic: str) -> Iterator[Event]:
    """What one record says about this topic in this group; nothing for all others."""
    if value is None:
        return
    of = _Reader(key)
    kind, about = of.int16(), of.string()
    if about != group:
        return
    if kind in _OFFSET_KEYS and of.string() == topic:
        yield _commit(of.int32(), _Reader(value), moment)
    elif kind == _GROUP_KEY:
        yield _generation(_Reader(value), moment, topic)


def _commit(partition: int, value: "_Reader", moment: int) -> Commit:
    value.int16()  # version: the offset comes first in all of them
    return Commit(moment, partition, value.int64())


def _generation(value: "_Reader", moment: int, topic: str) -> Generation:
    version = value.int16()
    if version != _GROUP_VERSION:
        raise ValueError(f"this broker writes version {version} of its groups, not {_GROUP_VERSION}")
    value.string()  # protocol type
    number = value.int32()
    value.string()  # protocol
    value.string()  # leader
    value.int64()  # when the state changed last
    holders: dict[int, str] = {}
    for _ in range(value.int32()):
        member = value.string()
        instance = value.string() or member or ""
        value.string()  # client id
        value.string()  # client host
        value.int32()  # rebalance timeout
        value.int32()  # session timeout
        value.content()  # subscription
        holders.update((partition, instance) for partition in _assigned(value.content(), topic))
    return Generation(moment, number, holders)


def _assigned(assignment: bytes, topic: str) -> Sequence[int]:
    if not assignment:
        return ()
    reader = _Reader(assignment)
    reader.int16()  # version
    found: list[int] = []
    for _ in range(reader.int32()):
        name = reader.string()
        partitions = [reader.int32() for _ in range(reader.int32())]
        found += partitions if name == topic else []
    return found


class _Reader:
    """Kafka's plain (not flexible) encoding: big-endian numbers, lengths before texts and bytes."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def int16(self) -> int:
        return self._number(">h")

    def int32(self) -> int:
        return self._number(">i")

    def int64(self) -> int:
        return self._number(">q")

    def string(self) -> str | None:
        length = self.int16()
        return None if length < 0 else self._take(length).decode()

    def content(self) -> bytes:
        return self._take(max(0, self.int32()))

    def _number(self, layout: str) -> int:
        (number,) = struct.unpack(layout, self._take(struct.calcsize(layout)))
        return int(number)

    def _take(self, length: int) -> bytes:
        taken = self._data[self._at : self._at + length]
        if len(taken) < length:
            raise ValueError("a record of the group's log ends too early")
        self._at += length
        return taken
