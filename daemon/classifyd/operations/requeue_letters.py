"""Dead letters back into the topic that they came from."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from classifyd.core.errors import MessageTooLarge, PublishUnavailable
from classifyd.core.messages import restored
from classifyd.core.values import Message, Record
from classifyd.publish.kafka import Letters, Sender


@dataclass(frozen=True, slots=True)
class LetterRequeued:
    """A dead letter, and why it stays one; None when its record is back in its topic."""

    letter: Record
    problem: str | None


def requeue_letters(letters: Letters, sender: Sender) -> Iterator[LetterRequeued]:
    """Sends each letter's record to its topic again, with its key, headers and value, then notes the letter
    as seen: another run does not repeat it. Only a crash between the two does.

    A header that was null comes back empty: kafka-python sends none that is null.
    Raises PublishUnavailable when a topic or the broker takes nothing; what was not noted is read again.
    """
    for batch in letters.batches():
        left_out: list[LetterRequeued] = []
        for letter, error in sender.send_all(_messages(batch, left_out)):
            if isinstance(error, PublishUnavailable):
                raise error
            too_large = isinstance(error, MessageTooLarge)
            yield LetterRequeued(letter, str(error) if too_large else None)
        yield from left_out
        letters.seen()


def _messages(batch: Iterable[Record], left_out: list[LetterRequeued]) -> Iterator[tuple[Record, Message]]:
    for letter in batch:
        record = restored(letter)
        if record is None:
            left_out.append(LetterRequeued(letter, "it does not carry the record that it came from"))
            continue
        headers = tuple((name, value or b"") for name, value in record.headers)
        yield letter, Message(record.topic, record.key, headers, record.value or b"")
