import threading
import time
from datetime import timedelta
from itertools import count

import pytest

from classifyd.core.errors import StoreUnavailable, UnstorableRow
from classifyd.core.values import Disposition, Message, Reason, Rejected, Source, Status
from classifyd.pipeline.recorder import FEW, MAX_GROUP, PRUNE_AT_ONCE, Recorder
from classifyd.pipeline.tally import Tally
from tests.unit.pipeline.fakes import BOUND, NOW, PREDICTION, FakeStore, RecordingPart, Settlements

REFUSAL = Rejected(Reason.TRUNCATED, "the end is missing")


class Bench:
    """A recorder over a store that the test holds; `start` runs it."""

    def __init__(self) -> None:
        ids = count(1)
        self.store = FakeStore()
        self.part = RecordingPart()
        self.tally = Tally()
        self.settlements = Settlements()
        self.commits = 0
        self.recorder = Recorder(
            self.store,
            lambda result, _delivery: (Message("out", None, (), result.id.encode()),),
            self.part,
            self.tally,
            lambda: NOW,
            lambda: f"id-{next(ids)}",
        )
        self.recorder.committed = self._committed
        self.thread = threading.Thread(target=self.recorder.run)

    def _committed(self) -> None:
        self.commits += 1

    def submit(self, name: str, outcome=PREDICTION, **options) -> None:
        self.recorder.submit(self.settlements.delivery(name, **options), outcome, "resnet")

    def start(self) -> None:
        self.thread.start()

    def stop(self) -> None:
        self.recorder.stop()
        self.thread.join(BOUND)
        assert not self.thread.is_alive()


@pytest.fixture
def bench():
    bench = Bench()
    yield bench
    if bench.thread.is_alive():
        bench.stop()


def test_a_picture_is_settled_after_its_row_and_message_are_committed(bench):
    seen_at_settling = []
    bench.submit("a.jpg", place=lambda result: f"/done/{result.id}")
    original = bench.settlements._take
    bench.settlements._take = lambda name, s: (
        seen_at_settling.append(len(bench.store.rows)),
        original(name, s),
    )
    bench.submit("b.jpg")
    bench.start()
    first, second = bench.settlements.wait("a.jpg", "b.jpg")
    assert seen_at_settling[0] == 2
    assert first.disposition is second.disposition is Disposition.DONE
    assert first.result.stored_path == "/done/id-1"
    assert first.result is bench.store.rows["test:a.jpg"]
    assert [message.value for message in bench.store.messages] == [b"id-1", b"id-2"]
    assert bench.part.state == (True, "")
    assert bench.tally.done == 2


def test_what_waits_is_written_in_one_transaction_up_to_a_limit(bench):
    for number in range(MAX_GROUP + 1):
        bench.submit(str(number))
    bench.start()
    bench.settlements.wait(*(str(number) for number in range(MAX_GROUP + 1)))
    assert bench.store.transactions == [MAX_GROUP, 1]


def test_whom_somebody_waits_for_is_written_first_and_with_few_others(bench):
    for number in range(FEW + 5):
        bench.submit(str(number))
    bench.submit("http", source=Source.HTTP)
    bench.start()
    bench.settlements.wait("http", *(str(number) for number in range(FEW + 5)))
    assert next(iter(bench.settlements.taken)) == "http"
    assert bench.store.transactions == [FEW + 1, 5]


def test_a_redelivered_picture_is_settled_by_what_is_recorded(bench):
    bench.submit("a.jpg", REFUSAL)
    bench.start()
    (first,) = bench.settlements.wait("a.jpg")
    bench.settlements.taken.clear()
    bench.submit("a.jpg", PREDICTION)
    (second,) = bench.settlements.wait("a.jpg")
    assert second.disposition is Disposition.REJECTED
    assert second.result is first.result
    assert (bench.tally.done, bench.tally.rejected) == (0, 1)


def test_while_the_database_is_away_nothing_is_settled_and_nothing_is_lost(bench):
    bench.store.errors = [StoreUnavailable("the disk is full")] * 3
    bench.submit("a.jpg")
    bench.start()
    bench.settlements.wait("a.jpg")
    assert bench.store.errors == []
    assert bench.part.state == (True, "")


def test_a_stop_while_the_database_is_away_settles_nothing(bench):
    bench.store.errors = [StoreUnavailable("the disk is full")] * 1000
    bench.submit("a.jpg")
    bench.start()
    assert bench.part.wait(up=False) == "the disk is full"
    bench.stop()
    assert bench.settlements.taken == {}


def test_a_row_that_the_database_refuses_is_rejected_alone(bench):
    def poison(result):
        bad = result.origin.name == "bad" and result.status is Status.CLASSIFIED
        return UnstorableRow("out of range") if bad else None

    bench.store.poison = poison
    for name in ("good", "bad", "fine"):
        bench.submit(name, place=lambda result: f"/{result.status}")
    bench.recorder.mark_published([7])
    bench.start()
    good, bad, fine = bench.settlements.wait("good", "bad", "fine")
    assert good.disposition is fine.disposition is Disposition.DONE
    assert bad.disposition is Disposition.REJECTED
    assert bad.result.outcome.reason is Reason.NOT_RECORDABLE
    assert bad.result.stored_path == "/rejected"
    assert bench.store.published == [7]


def test_what_is_not_to_be_recorded_is_settled_without_the_database(bench):
    bench.store.errors = [StoreUnavailable("gone")] * 1000
    bench.submit("http.jpg", records=frozenset())
    bench.submit("refused.jpg", REFUSAL, records=frozenset({Status.CLASSIFIED}))
    bench.submit("kept.jpg")
    bench.start()
    done, rejected = bench.settlements.wait("http.jpg", "refused.jpg")
    assert done.disposition is Disposition.DONE
    assert rejected.disposition is Disposition.REJECTED
    assert bench.store.rows == {}
    assert "kept.jpg" not in bench.settlements.taken


def test_marks_go_with_the_next_transaction_and_commits_are_told(bench):
    bench.recorder.mark_published([1, 2])
    bench.start()
    assert bench.recorder.flush(BOUND)
    assert bench.store.published == [1, 2]
    assert bench.commits == 1


def test_pruning_goes_on_until_nothing_is_left_and_survives_an_outage(bench):
    bench.store.prunable = 2 * PRUNE_AT_ONCE + 1
    bench.recorder.prune_outbox(NOW - timedelta(days=1))
    bench.start()
    deadline = time.monotonic() + BOUND
    while bench.store.prunable and time.monotonic() < deadline:
        bench.recorder.mark_published([1])
        assert bench.recorder.flush(BOUND)
    assert bench.store.prunable == 0

    def away(_before, _limit):
        raise StoreUnavailable("locked")

    bench.store.prune_outbox = away
    bench.recorder.prune_outbox(NOW)
    assert bench.part.wait(up=False) == "locked"


def test_a_database_that_can_be_pruned_again_is_up_again(bench):
    errors = [StoreUnavailable("locked")]

    def prune(_before, _limit):
        if errors:
            raise errors.pop()
        return 0

    bench.store.prune_outbox = prune
    bench.recorder.prune_outbox(NOW)
    bench.start()
    bench.part.wait(up=False)
    bench.recorder.prune_outbox(NOW)
    bench.part.wait(up=True)


def test_a_stop_does_not_wait_for_pruning(bench):
    bench.store.prunable = 10**9
    bench.recorder.prune_outbox(NOW)
    bench.start()
    bench.submit("a.jpg")
    bench.settlements.wait("a.jpg")
    bench.stop()
    assert bench.store.prunable > 0


def test_a_flush_tells_when_its_time_did_not_suffice(bench):
    bench.submit("a.jpg")
    assert not bench.recorder.flush(0.0)


def test_a_stop_records_first_what_waits(bench):
    bench.submit("a.jpg")
    bench.recorder.stop()
    bench.start()
    bench.settlements.wait("a.jpg")
    bench.thread.join(BOUND)
    assert not bench.thread.is_alive()
