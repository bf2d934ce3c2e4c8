import threading
from concurrent.futures import Future

import pytest

from classifyd.core.batching import ALL_LANES, Batcher
from classifyd.core.credits import Credits
from classifyd.core.values import Disposition, Lane, Reason, Rejected, Settlement
from classifyd.pipeline import intake as module
from classifyd.pipeline.intake import Intake
from tests.unit.pipeline.fakes import BOUND, Settlements


@pytest.fixture
def settlements() -> Settlements:
    return Settlements()


def make_intake(refused=lambda delivery, refusal: None, items: int = 2) -> Intake:
    return Intake("resnet", Batcher(8, 10_000), {lane: Credits(items, 1000) for lane in Lane}, refused)


def names(batch) -> list[str]:
    return [waiting.delivery.image.origin.name for waiting in batch]


def test_nothing_is_taken_before_the_model_answered():
    intake = make_intake()
    assert not intake.inlet(Lane.BULK).reserve(1)
    assert "not answered" in intake.inlet(Lane.BULK).closed
    intake.open()
    assert intake.inlet(Lane.BULK).closed is None
    assert intake.inlet(Lane.BULK).reserve(1)


def test_each_lane_has_credits_of_its_own():
    intake = make_intake()
    intake.open()
    bulk, interactive = intake.inlet(Lane.BULK), intake.inlet(Lane.INTERACTIVE)
    assert bulk.reserve(1)
    assert bulk.reserve(1)
    assert not bulk.reserve(1)
    assert interactive.reserve(1)


def test_a_waiting_reservation_succeeds_as_soon_as_credit_comes_back():
    intake = make_intake(items=1)
    intake.open()
    inlet = intake.inlet(Lane.BULK)
    assert inlet.reserve(1)
    got = []
    thread = threading.Thread(target=lambda: got.append(inlet.reserve(1, timeout=BOUND)))
    thread.start()
    inlet.release(1)
    thread.join(BOUND)
    assert got == [True]


def test_a_waiting_reservation_ends_when_the_intake_stops():
    intake = make_intake(items=1)
    intake.open()
    inlet = intake.inlet(Lane.BULK)
    assert inlet.reserve(1)
    got = []
    thread = threading.Thread(target=lambda: got.append(inlet.reserve(1, timeout=600)))
    thread.start()
    intake.stop("the daemon is stopping")
    thread.join(BOUND)
    assert got == [False]


def test_when_the_model_goes_away_people_are_answered_at_once_and_bulk_waits(settlements):
    intake = make_intake()
    intake.open()
    intake.inlet(Lane.BULK).offer(settlements.delivery("bulk.jpg"))
    intake.inlet(Lane.INTERACTIVE).offer(settlements.delivery("http.jpg"))
    intake.close("model resnet is away: refused")
    (answer,) = settlements.wait("http.jpg")
    assert answer == Settlement.retry("model resnet is away: refused")
    assert intake.in_flight == 1
    intake.open()
    assert names(intake.take()) == ["bulk.jpg"]


def test_what_people_send_while_it_is_closed_comes_back_at_once(settlements):
    intake = make_intake()
    intake.inlet(Lane.INTERACTIVE).offer(settlements.delivery("http.jpg"))
    assert settlements.wait("http.jpg")[0].disposition is Disposition.RETRY


def test_a_refused_picture_passes_the_queue_by(settlements):
    refused = []
    intake = make_intake(lambda delivery, refusal: refused.append((delivery.image.origin.name, refusal)))
    refusal = Rejected(Reason.EMPTY, "it is empty")
    intake.inlet(Lane.BULK).offer(settlements.delivery("empty.jpg", refusal=refusal))
    assert refused == [("empty.jpg", refusal)]


def test_a_batch_that_was_not_answered_returns_to_the_head(settlements):
    intake = make_intake(items=5)
    intake.open()
    for name in ("1", "2", "3"):
        intake.inlet(Lane.BULK).offer(settlements.delivery(name))
    intake.limit_batch(2)
    batch = intake.take()
    intake.put_back(batch)
    assert names(intake.take()) == ["1", "2"]
    assert names(intake.take()) == ["3"]


def test_interactive_pictures_are_handed_back_when_they_return_to_a_closed_intake(settlements):
    intake = make_intake()
    intake.open()
    intake.inlet(Lane.INTERACTIVE).offer(settlements.delivery("http.jpg"))
    batch = intake.take()
    intake.close("away")
    intake.put_back(batch)
    assert settlements.wait("http.jpg") == [Settlement.retry("away")]


def test_interactive_pictures_stay_when_they_return_to_an_open_intake(settlements):
    intake = make_intake()
    intake.open()
    intake.inlet(Lane.INTERACTIVE).offer(settlements.delivery("http.jpg"))
    intake.put_back(intake.take())
    assert names(intake.take()) == ["http.jpg"]


def test_a_stopped_intake_gives_no_work_and_does_not_open_again(settlements):
    intake = make_intake()
    intake.open()
    intake.inlet(Lane.BULK).offer(settlements.delivery("bulk.jpg"))
    intake.stop("the daemon is stopping")
    intake.open()
    intake.close("away")
    assert intake.take() is None
    assert intake.closed == "the daemon is stopping"
    assert settlements.taken == {}


def test_settling_twice_is_a_fault(settlements):
    intake = make_intake()
    intake.open()
    intake.inlet(Lane.BULK).offer(settlements.delivery("a.jpg"))
    assert intake.oldest() is not None
    delivery = intake.take()[0].delivery
    delivery.settle(Settlement.retry("once"))
    assert intake.oldest() is None
    with pytest.raises(KeyError):
        delivery.settle(Settlement.retry("twice"))


def taking(intake, lanes=ALL_LANES) -> Future[list[str]]:
    """What another worker takes, once it does."""
    taken: Future[list[str]] = Future()
    worker = threading.Thread(target=lambda: taken.set_result(names(intake.take(lanes))), daemon=True)
    worker.start()
    return taken


@pytest.fixture
def working(settlements):
    """An intake, and its first batch, which is under way."""
    intake = make_intake(items=9)
    intake.open()
    intake.offer(Lane.BULK, settlements.delivery("first"))
    return intake, intake.take()


@pytest.fixture
def endless_linger(monkeypatch):
    monkeypatch.setattr(module, "LINGER", 600.0)


@pytest.mark.usefixtures("endless_linger")
def test_behind_another_batch_pictures_wait_for_others(settlements, working):
    intake, _first = working
    second = taking(intake)
    for number in range(7):
        intake.offer(Lane.BULK, settlements.delivery(str(number)))
    assert not second.done()
    intake.offer(Lane.BULK, settlements.delivery("7"))  # a batch of eight is full
    assert second.result(BOUND) == [str(number) for number in range(8)]


def test_they_do_not_wait_for_long(settlements, working):
    intake, _first = working
    intake.offer(Lane.BULK, settlements.delivery("second"))
    assert taking(intake).result(BOUND) == ["second"]


@pytest.mark.usefixtures("endless_linger")
def test_nothing_waits_behind_a_batch_that_has_ended(settlements, working):
    intake, first = working
    intake.finished(first)
    intake.offer(Lane.BULK, settlements.delivery("second"))
    assert taking(intake).result(BOUND) == ["second"]


@pytest.mark.usefixtures("endless_linger")
def test_a_batch_of_one_lane_holds_up_no_other(settlements, working):
    intake, _first = working
    intake.offer(Lane.INTERACTIVE, settlements.delivery("http"))
    assert taking(intake, {Lane.INTERACTIVE}).result(BOUND) == ["http"]


def test_several_pictures_offered_at_once_are_one_batch(settlements):
    intake = make_intake(items=9)
    intake.open()
    taken = taking(intake)
    intake.inlet(Lane.BULK).offer(*(settlements.delivery(name) for name in "abc"))
    assert taken.result(BOUND) == ["a", "b", "c"]


@pytest.mark.parametrize("lanes", [ALL_LANES, {Lane.INTERACTIVE}], ids=["both", "interactive"])
def test_a_worker_that_waits_is_woken(settlements, lanes):
    intake = make_intake(items=9)
    intake.open()
    taken = taking(intake, lanes)
    intake.offer(Lane.INTERACTIVE, settlements.delivery("http"))
    assert taken.result(BOUND) == ["http"]


def test_bulk_pictures_are_not_taken_in_while_somebody_waits_for_an_answer(settlements, monkeypatch):
    monkeypatch.setattr(module, "STEP_ASIDE", 600.0)
    intake = make_intake()
    intake.open()
    intake.offer(Lane.INTERACTIVE, settlements.delivery("http"))
    [asked] = intake.take()
    reserved: Future[bool] = Future()
    source = threading.Thread(
        target=lambda: reserved.set_result(intake.inlet(Lane.BULK).reserve(1)), daemon=True
    )
    source.start()
    assert not reserved.done()
    asked.delivery.settle(Settlement.retry("later"))
    assert reserved.result(BOUND)


def test_nor_worked_on(settlements, monkeypatch):
    monkeypatch.setattr(module, "BATCH_ASIDE", 600.0)
    intake = make_intake()
    intake.open()
    intake.offer(Lane.INTERACTIVE, settlements.delivery("http"))
    [asked] = intake.take()
    intake.offer(Lane.BULK, settlements.delivery("bulk"))
    bulk = taking(intake)
    assert not bulk.done()
    asked.delivery.settle(Settlement.retry("later"))
    assert bulk.result(BOUND) == ["bulk"]


def test_but_a_stream_of_requests_stops_no_bulk(settlements):
    intake = make_intake()
    intake.open()
    intake.offer(Lane.INTERACTIVE, settlements.delivery("http"))
    intake.take()
    assert intake.inlet(Lane.BULK).reserve(1)
    intake.offer(Lane.BULK, settlements.delivery("bulk"))
    assert taking(intake).result(BOUND) == ["bulk"]


class Clock:
    """In the place of `time`: it stands still but for whoever sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def clock(monkeypatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


def answered(intake, settlements) -> None:
    intake.offer(Lane.INTERACTIVE, settlements.delivery("http"))
    intake.take()[0].delivery.settle(Settlement.retry("later"))


def test_while_requests_come_a_bulk_source_rests_as_long_as_it_works(settlements, clock):
    intake = make_intake(items=9)
    intake.open()
    bulk = intake.inlet(Lane.BULK)
    assert bulk.reserve(1)
    answered(intake, settlements)
    clock.now += 0.003
    assert bulk.reserve(1)
    assert clock.slept == [pytest.approx(0.003)]
    clock.now += 60.0  # nobody asks any more
    assert bulk.reserve(1)
    assert len(clock.slept) == 1


def test_another_source_owes_nothing_for_it(settlements, clock):
    intake = make_intake(items=9)
    intake.open()
    busy, fresh, interactive = (intake.inlet(lane) for lane in (Lane.BULK, Lane.BULK, Lane.INTERACTIVE))
    assert busy.reserve(1)
    assert interactive.reserve(1)
    answered(intake, settlements)
    clock.now += 0.003
    assert fresh.reserve(1)
    assert interactive.reserve(1)
    assert clock.slept == []


def test_waiting_for_credit_is_no_work(settlements, clock, monkeypatch):
    intake = make_intake(items=9)
    intake.open()
    bulk = intake.inlet(Lane.BULK)
    answered(intake, settlements)
    reserve = intake.reserve
    monkeypatch.setattr(intake, "reserve", lambda *given: (clock.sleep(0.1), reserve(*given))[1])
    assert bulk.reserve(1)
    assert bulk.reserve(1)
    assert clock.slept == [0.1, 0.1]
