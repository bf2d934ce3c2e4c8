"""Dead letters that go back, stay, or wait."""

from collections.abc import Collection, Iterable, Iterator

import pytest

from classifyd.core.errors import MessageTooLarge, PublishError, PublishUnavailable
from classifyd.core.values import Message, Record
from classifyd.operations.requeue_letters import requeue_letters


def letter(offset: int, value: bytes = b"picture", partition: int = 0) -> Record:
    headers = (("classifyd-topic", b"in"), ("classifyd-partition", b"0"), ("classifyd-offset", b"0"))
    return Record("in.dead-letter", partition, offset, None, value, headers)


FOREIGN = Record("in.dead-letter", 1, 7, None, b"foreign", ())


class FakeLetters:
    """One batch; remembers what was not noted each time that the rest was."""

    def __init__(self, *batch: Record, refusal: PublishUnavailable | None = None) -> None:
        self._batch = list(batch)
        self._refusal = refusal
        self.noted_but: list[list[Record]] = []

    def batches(self) -> Iterator[list[Record]]:
        yield self._batch

    def seen(self, but: Collection[Record] = ()) -> None:
        if self._refusal:
            raise self._refusal
        self.noted_but.append(list(but))


class FakeSender:
    """Answers by the value of the message."""

    def send_all(
        self, messages: Iterable[tuple[Record, Message]]
    ) -> Iterator[tuple[Record, PublishError | None]]:
        answers = {b"huge": MessageTooLarge("too large"), b"away": PublishUnavailable("the topic is away")}
        for known_by, message in messages:
            yield known_by, answers.get(message.value)


def test_letters_that_stay_are_told_to_stay_for_good() -> None:
    letters = FakeLetters(letter(0, b"huge"), FOREIGN, letter(1))
    told = {one.letter.offset: one.problem for one in requeue_letters(letters, FakeSender())}
    assert told[0] is not None
    assert told[0].startswith("too large; it will not be offered again")
    assert told[7] == "it does not carry the record that it came from"
    assert told[1] is None
    assert letters.noted_but == [[]]


def test_what_was_put_back_before_the_topic_was_away_is_noted() -> None:
    waiting = [letter(2, b"away"), letter(3), letter(0, partition=1), FOREIGN]
    letters = FakeLetters(letter(0), letter(1), *waiting)
    done = []
    with pytest.raises(PublishUnavailable, match=r"^the topic is away$"):
        done.extend(requeue_letters(letters, FakeSender()))
    assert letters.noted_but == [waiting]


def test_what_was_put_back_and_could_not_be_noted_is_told() -> None:
    letters = FakeLetters(letter(0), letter(1, b"away"), refusal=PublishUnavailable("no answer"))
    with pytest.raises(PublishUnavailable, match=r"the topic is away; .* will be put back again"):
        list(requeue_letters(letters, FakeSender()))
