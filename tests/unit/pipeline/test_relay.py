import threading
import time
from dataclasses import replace

import pytest

from classifyd.core.errors import MessageTooLarge, PublishUnavailable, StoreUnavailable
from classifyd.core.values import Message
from classifyd.pipeline.relay import Relay
from tests.unit.pipeline.fakes import BOUND, FakeOutbox, RecordingPart


def message(topic: str, value: bytes) -> Message:
    return Message(topic, None, (), value)


class FakePublisher:
    """Keeps what was sent; `fail(pending)` names an error."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, bytes]] = []
        self.fail = lambda pending: None
        self.changed = threading.Condition()
        self.closed_with: float | None = None

    def publish(self, messages, timeout):
        assert timeout > 0
        outcomes = {}
        failed = set()
        with self.changed:
            for pending in messages:
                error = self.fail(pending)
                topic = pending.message.topic
                if error is None and topic in failed:
                    error = PublishUnavailable("an earlier message of this topic failed")
                if error is not None and not isinstance(error, MessageTooLarge):
                    failed.add(topic)
                outcomes[pending.position] = error
                if error is None:
                    self.sent.append((topic, pending.message.value))
            self.changed.notify_all()
        return outcomes

    def close(self, timeout):
        self.closed_with = timeout

    def wait_sent(self, count: int) -> list[tuple[str, bytes]]:
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.sent) >= count, BOUND), self.sent
            return list(self.sent)


class Bench:
    def __init__(self, messages: list[Message]) -> None:
        self.outbox = FakeOutbox(messages)
        self.publisher = FakePublisher()
        self.part = RecordingPart()
        self.marked: list[int] = []
        self.relay = Relay(
            self.outbox,
            self.publisher,
            self._mark,
            lambda letter: replace(letter, value=letter.value[1:]) if letter.topic == "dead" else None,
            self.part,
        )
        self.thread = threading.Thread(target=self.relay.run)

    def _mark(self, positions) -> None:
        self.marked.extend(positions)
        self.outbox.mark(positions)

    def stop(self, seconds: float = BOUND) -> None:
        self.relay.stop_within(seconds)
        self.thread.join(BOUND)
        assert not self.thread.is_alive()


@pytest.fixture
def started():
    benches: list[Bench] = []

    def start(*messages: Message, prepare=lambda bench: None) -> Bench:
        bench = Bench(list(messages))
        prepare(bench)
        bench.thread.start()
        benches.append(bench)
        return bench

    yield start
    for bench in benches:
        bench.stop(0.0)


def test_what_waits_is_published_in_order_and_then_marked(started):
    bench = started(*(message("out", b"%d" % number) for number in range(7)))
    assert bench.publisher.wait_sent(7) == [("out", b"%d" % number) for number in range(7)]
    bench.stop()
    assert bench.marked == [1, 2, 3, 4, 5, 6, 7]
    assert bench.publisher.closed_with > 0


def test_a_hint_wakes_it(started):
    bench = started()
    bench.outbox.waiting = FakeOutbox([message("out", b"new")]).waiting
    bench.relay.hint()
    assert bench.publisher.wait_sent(1) == [("out", b"new")]


def test_a_message_is_not_sent_again_while_its_mark_is_on_the_way(started):
    bench = started(
        message("out", b"1"), prepare=lambda bench: setattr(bench.outbox, "mark", lambda _p: None)
    )
    bench.publisher.wait_sent(1)
    bench.relay.hint()
    bench.stop()
    assert bench.publisher.sent == [("out", b"1")]


def test_a_topic_that_fails_blocks_only_itself_and_keeps_its_order(started):
    down = {"bad"}

    def fail(pending):
        return PublishUnavailable("no leader") if pending.message.topic in down else None

    bench = started(
        message("bad", b"1"),
        message("good", b"2"),
        message("bad", b"3"),
        message("good", b"4"),
        prepare=lambda bench: setattr(bench.publisher, "fail", fail),
    )
    assert bench.publisher.wait_sent(2) == [("good", b"2"), ("good", b"4")]
    assert bench.part.wait(up=False) == "topic bad: no leader"
    down.clear()
    assert bench.publisher.wait_sent(4)[2:] == [("bad", b"1"), ("bad", b"3")]
    bench.part.wait(up=True)


def test_a_dead_letter_over_the_brokers_limit_goes_in_the_largest_form_that_fits(started):
    bench = started(
        message("dead", b"huge"),
        message("dead", b"xt"),
        prepare=lambda bench: setattr(
            bench.publisher,
            "fail",
            lambda pending: MessageTooLarge("over 1 MiB") if len(pending.message.value) > 2 else None,
        ),
    )
    bench.publisher.wait_sent(2)
    bench.stop()
    assert bench.marked == [1, 2]
    assert sorted(bench.publisher.sent) == [("dead", b"ge"), ("dead", b"xt")]


def test_a_message_that_cannot_be_reduced_blocks_its_topic_and_says_so(started):
    bench = started(
        message("out", b"huge"),
        prepare=lambda bench: setattr(bench.publisher, "fail", lambda _p: MessageTooLarge("over 1 MiB")),
    )
    assert bench.part.wait(up=False) == "topic out: over 1 MiB"
    assert bench.marked == []


def test_an_unreadable_outbox_is_told_and_tried_again(started):
    bench = started(
        message("out", b"1"),
        prepare=lambda bench: setattr(bench.outbox, "errors", [StoreUnavailable("locked")] * 1000),
    )
    assert bench.part.wait(up=False) == "locked"
    bench.outbox.errors.clear()
    bench.relay.hint()
    assert bench.publisher.wait_sent(1) == [("out", b"1")]
    bench.part.wait(up=True)


def test_an_outbox_that_can_be_read_again_and_is_empty_is_up_again(started):
    bench = started(
        prepare=lambda bench: setattr(bench.outbox, "errors", [StoreUnavailable("locked")] * 1000)
    )
    bench.part.wait(up=False)
    bench.outbox.errors.clear()
    bench.relay.hint()
    bench.part.wait(up=True)


def test_a_stop_waits_for_a_topic_that_comes_back_in_time(started):
    errors = [PublishUnavailable("no leader")]
    bench = Bench([message("out", b"1")])
    bench.publisher.fail = lambda _pending: errors.pop() if errors else None
    bench.relay.stop_within(BOUND)
    bench.thread.start()
    bench.thread.join(BOUND)
    assert bench.publisher.sent == [("out", b"1")]


def test_a_stop_publishes_first_what_waits(started):
    bench = Bench([message("out", b"%d" % number) for number in range(7)])
    bench.relay.stop_within(BOUND)
    bench.thread.start()
    bench.thread.join(BOUND)
    assert len(bench.publisher.sent) == 7


def test_a_stop_ends_in_time_while_the_broker_is_away(started):
    bench = started(
        message("out", b"1"),
        prepare=lambda bench: setattr(bench.publisher, "fail", lambda _p: PublishUnavailable("away")),
    )
    bench.part.wait(up=False)
    begun = time.monotonic()
    bench.relay.stop()
    bench.thread.join(BOUND)
    assert not bench.thread.is_alive()
    assert time.monotonic() - begun < BOUND
    assert bench.marked == []
