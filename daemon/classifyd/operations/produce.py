"""JPEG files into a Kafka topic."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from classifyd.core.errors import MessageTooLarge, PublishUnavailable
from classifyd.core.names import encode_path
from classifyd.core.values import Message
from classifyd.publish.kafka import Sender


@dataclass(frozen=True, slots=True)
class Produced:
    """A file and why it did not get into the topic; None when it did."""

    path: Path
    problem: str | None


def produce(files: Iterable[Path], topic: str, sender: Sender) -> Iterator[Produced]:
    """Sends each file as one record: its bytes as the value, its name as the key.

    Raises PublishUnavailable when the topic or the broker takes nothing: the rest would fare no better.
    """
    unreadable: list[Produced] = []
    for path, error in sender.send_all(_messages(files, topic, unreadable)):
        yield from unreadable
        unreadable.clear()
        if isinstance(error, MessageTooLarge):
            yield Produced(path, _too_large(path, sender.limit(topic)))
        elif isinstance(error, PublishUnavailable):
            raise error
        else:
            yield Produced(path, None)
    yield from unreadable


def _messages(
    files: Iterable[Path], topic: str, unreadable: list[Produced]
) -> Iterator[tuple[Path, Message]]:
    for path in files:
        try:
            value = path.read_bytes()
        except OSError as error:
            unreadable.append(Produced(path, f"cannot be read: {error.strerror}"))
            continue
        headers = (("content-type", b"image/jpeg"),)
        yield path, Message(topic, encode_path(path.name).encode(), headers, value)


def _too_large(path: Path, limit: int | None) -> str:
    allowed = "the broker's limit" if limit is None else f"the {limit:,} bytes that the topic takes"
    return (
        f"{path.stat().st_size:,} bytes are more than {allowed}: "
        "raise max.message.bytes of the topic or message.max.bytes of the broker"
    )
