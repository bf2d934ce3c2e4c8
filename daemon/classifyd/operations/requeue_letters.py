"""Dead letters back into the topic that they came from."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from classifyd.core.errors import MessageTooLarge, PublishUnavailable
from classifyd.core.messages import restored
from classifyd.core.values import Message, Record
from classifyd.publish.kafka import Letters, Sender

_NEVER_AGAIN = (
    "it will not be offered again: raise the limit, then set the requeue group's offset back to this letter"
)


@dataclass(frozen=True, slots=True)
class LetterRequeued:
    """A dead letter, and why it stays one; None when its record is back in its topic."""

    letter: Record
    problem: str | None


def requeue_letters(letters: Letters, sender: Sender) -> Iterator[LetterRequeued]:
    """Sends each letter's record to its topic again, with its key, headers and value, and notes the letters
    as seen, some at a time: another run does not repeat them.

    There is no transaction around both: it would need rights that nothing else here needs, and kafka-python's
    transactional producer fails all that it holds with the error of one message that is too large. So a
    record is put back at least once: again by the next run if this one was killed, or the broker went away,
    between sending and noting. It then has two offsets, hence two rows and two messages.

    Letters that stay are noted too, for those behind them would be sent twice otherwise: no later run
    offers them. A header that was null comes back empty: kafka-python sends none that is null.
    Raises PublishUnavailable when a topic or the broker takes nothing. What was put back is noted before,
    so far as no earlier letter of its partition waits; all else is read again.
    """
    for batch in letters.batches():
        waiting = {(letter.partition, letter.offset): letter for letter in batch}
        try:
            for one in _requeued(batch, sender):
                del waiting[one.letter.partition, one.letter.offset]
                yield one
        except PublishUnavailable as error:
            _note(letters, waiting.values(), error)
            raise
        letters.seen()


def _requeued(batch: Iterable[Record], sender: Sender) -> Iterator[LetterRequeued]:
    left_out: list[LetterRequeued] = []
    for letter, error in sender.send_all(_messages(batch, left_out)):
        if isinstance(error, PublishUnavailable):
            raise error
        too_large = isinstance(error, MessageTooLarge)
        yield LetterRequeued(letter, f"{error}; {_NEVER_AGAIN}" if too_large else None)
    yield from left_out


def _note(letters: Letters, waiting: Collection[Record], reason: PublishUnavailable) -> None:
    try:
        letters.seen(but=waiting)
    except PublishUnavailable as error:
        raise PublishUnavailable(
            f"{reason}; what was put back last could not be noted, and will be put back again"
        ) from error


def _messages(batch: Iterable[Record], left_out: list[LetterRequeued]) -> Iterator[tuple[Record, Message]]:
    for letter in batch:
        record = restored(letter)
        if record is None:
            left_out.append(LetterRequeued(letter, "it does not carry the record that it came from"))
            continue
        headers = tuple((name, value or b"") for name, value in record.headers)
        yield letter, Message(record.topic, record.key, headers, record.value or b"")
