import threading

import pytest
from prometheus_client import REGISTRY

from classifyd.core.batching import Batcher
from classifyd.core.credits import Credits
from classifyd.core.errors import ConfigurationError, Failed, Refused, Unavailable
from classifyd.core.suspects import Suspects
from classifyd.core.values import Disposition, Lane, Reason, Rejected
from classifyd.pipeline import watch as watch_module
from classifyd.pipeline.intake import Intake
from classifyd.pipeline.model import Model
from tests.unit.pipeline.fakes import BOUND, PREDICTION, FakeClassifier, RecordingPart, Settlements


class Bench:
    """A model with its threads, as the supervisor would run it."""

    def __init__(self, classifier: FakeClassifier, max_batch: int = 8, refresh: float = 3600.0) -> None:
        self.classifier = classifier
        self.settlements = Settlements()
        self.part = RecordingPart()
        self.recorded: dict[str, object] = {}
        self.changed = threading.Condition()
        self.intake = Intake(
            "resnet",
            Batcher(max_batch, 10**6),
            {lane: Credits(100, 10**6) for lane in Lane},
            self.record,
        )
        self.model = Model(classifier, "onnx", self.intake, self.record, self.part, 2, max_batch, refresh)
        self.errors: list[Exception] = []
        self.threads = [
            threading.Thread(target=self._run, args=(service,), name=service.name)
            for service in (*self.model.workers, self.model.watch)
        ]

    def _run(self, service) -> None:
        try:
            service.run()
        except Exception as error:  # noqa: BLE001 - what the supervisor would see
            self.errors.append(error)

    def record(self, delivery, outcome) -> None:
        with self.changed:
            self.recorded[delivery.image.origin.name] = outcome
            self.changed.notify_all()

    def wait_recorded(self, *names: str) -> list[object]:
        with self.changed:
            assert self.changed.wait_for(lambda: set(names) <= self.recorded.keys(), BOUND), self.recorded
            return [self.recorded[name] for name in names]

    def offer(self, name: str, lane: Lane = Lane.BULK) -> None:
        self.intake.inlet(lane).offer(self.settlements.delivery(name))

    def __enter__(self) -> "Bench":
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.model.stop()
        for service in (*self.model.workers, self.model.watch):
            service.stop()
        for thread in self.threads:
            thread.join(BOUND)
            assert not thread.is_alive()
        self.model.close()
        assert self.classifier.closed


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Probes and suspects are due at once: the policies of when have tests of their own."""
    monkeypatch.setattr(watch_module, "FIRST_PROBE", 0.001)
    monkeypatch.setattr(watch_module, "LONGEST_PROBE", 0.01)
    monkeypatch.setattr(watch_module, "TICK", 0.01)


def test_pictures_of_both_lanes_are_answered_once_the_model_is_up():
    with Bench(FakeClassifier()) as bench:
        assert bench.part.wait(up=True) == "version 1, 2 classes"
        bench.offer("bulk.jpg")
        bench.offer("http.jpg", Lane.INTERACTIVE)
        assert bench.wait_recorded("bulk.jpg", "http.jpg") == [PREDICTION, PREDICTION]
        assert bench.model.info.version == "1"
        assert bench.model.away is None
        assert bench.model.engine == "onnx"
        assert bench.model.inlet.reserve(1)


def test_an_outage_parks_bulk_and_answers_people_and_all_resumes_by_itself():
    classifier = FakeClassifier()
    classifier.probe_error = Unavailable("connection refused", retry_after=0.001)
    with Bench(classifier) as bench:
        assert bench.part.wait(up=False) == "connection refused"
        bench.offer("bulk.jpg")
        bench.offer("http.jpg", Lane.INTERACTIVE)
        assert bench.settlements.wait("http.jpg")[0].disposition is Disposition.RETRY
        assert bench.recorded == {}
        classifier.probe_error = None
        assert bench.wait_recorded("bulk.jpg") == [PREDICTION]


def test_an_outage_in_the_middle_of_a_batch_loses_nothing_of_it():
    classifier = FakeClassifier()
    failures = [Unavailable("gone"), Unavailable("gone")]

    def answer(picture):
        if failures and len(classifier.calls[-1]) > 1:
            raise failures.pop()
        return PREDICTION

    classifier.answer = answer
    with Bench(classifier) as bench:
        bench.part.wait(up=True)
        classifier.probe_error = Unavailable("held back by the test")
        bench.model.watch.went_away(Unavailable("held back by the test"))
        for number in range(5):
            bench.offer(str(number))
        classifier.probe_error = None
        assert bench.wait_recorded(*"01234") == [PREDICTION] * 5


def test_after_an_outage_batches_start_at_one_and_grow():
    classifier = FakeClassifier()
    first = [Unavailable("gone")]

    def answer(_picture):
        if first and len(classifier.calls[-1]) == 8:
            raise first.pop()
        return PREDICTION

    classifier.answer = answer
    with Bench(classifier) as bench:
        for number in range(8):
            bench.offer(str(number))
        bench.wait_recorded(*(str(number) for number in range(8)))
    sizes = [len(call) for call in classifier.calls]
    assert sizes[0] == 8
    assert sizes[1] == 1
    assert max(sizes[1:3]) <= 2


def test_a_picture_that_the_model_refuses_is_rejected_and_its_neighbours_are_not():
    def answer(picture):
        if picture.origin.name == "bad":
            raise Refused("cannot decode it")
        return PREDICTION

    with Bench(FakeClassifier(answer)) as bench:
        for name in ("good", "bad", "fine"):
            bench.offer(name)
        good, bad, fine = bench.wait_recorded("good", "bad", "fine")
        assert good == fine == PREDICTION
        assert isinstance(bad, Rejected)
        assert bad.reason is Reason.REFUSED_BY_MODEL


def test_a_model_that_refuses_everything_is_away_and_rejects_nothing():
    classifier = FakeClassifier(lambda _picture: PREDICTION)
    classifier.control = Refused("no such signature")
    with Bench(classifier) as bench:
        assert "control picture" in bench.part.wait(up=False)
        bench.offer("a.jpg")
        classifier.control = None
        assert bench.wait_recorded("a.jpg") == [PREDICTION]


def test_a_smaller_limit_of_the_server_is_learnt():
    classifier = FakeClassifier()
    original = classifier.classify

    def classify(images):
        if len(images) > 2:
            raise Refused("batch too large")
        return original(images)

    classifier.classify = classify
    with Bench(classifier) as bench:
        for number in range(16):
            bench.offer(str(number))
        assert set(map(id, bench.wait_recorded(*map(str, range(16))))) == {id(PREDICTION)}
        assert bench.model._max_batch <= 4


def test_a_picture_that_alone_gets_a_5xx_waits_and_lets_others_pass(monkeypatch):
    monkeypatch.setattr("classifyd.core.suspects.FIRST_DELAY", 0.01)
    failures = [Failed("internal")] * 3

    def answer(picture):
        if picture.origin.name == "odd" and failures:
            raise failures.pop()
        return PREDICTION

    with Bench(FakeClassifier(answer)) as bench:
        bench.part.wait(up=True)
        bench.offer("odd")
        bench.offer("even")
        assert bench.wait_recorded("even", "odd") == [PREDICTION, PREDICTION]
        assert failures == []


def test_pictures_that_are_set_aside_are_told_and_counted():
    def answer(picture):
        if picture.origin.name.startswith("odd"):
            raise Failed("internal")
        return PREDICTION

    def suspects() -> float:
        return REGISTRY.get_sample_value("classifyd_suspects", {"model": "resnet"})

    with Bench(FakeClassifier(answer)) as bench:
        assert bench.part.wait(up=True) == "version 1, 2 classes"
        assert suspects() == 0
        for name in ("odd", "oddest", "even"):
            bench.offer(name)
        with bench.part.changed:
            told = "version 1, 2 classes; pictures set aside and tried again: 2 (see the log)"
            assert bench.part.changed.wait_for(lambda: bench.part.state == (True, told), BOUND)
        assert suspects() == 2


def test_a_picture_that_alone_gets_no_answer_waits_and_is_not_condemned(monkeypatch):
    monkeypatch.setattr("classifyd.core.suspects.FIRST_DELAY", 0.01)
    monkeypatch.setattr("classifyd.core.suspects.ATTEMPTS", 1)
    monkeypatch.setattr("classifyd.core.suspects.PERIOD", 0.0)
    failures = [Unavailable("timed out")] * 3

    def answer(picture):
        if picture.origin.name == "odd" and failures:
            raise failures.pop()
        return PREDICTION

    with Bench(FakeClassifier(answer)) as bench:
        bench.part.wait(up=True)
        bench.offer("odd")
        assert bench.wait_recorded("odd") == [PREDICTION]


def test_a_picture_is_condemned_when_its_hour_is_over(monkeypatch):
    monkeypatch.setattr(Suspects, "failed", lambda self, key, item, now: True)

    def answer(_picture):
        raise Failed("internal")

    with Bench(FakeClassifier(answer)) as bench:
        bench.offer("odd")
        (outcome,) = bench.wait_recorded("odd")
        assert outcome.reason is Reason.MODEL_FAILED
        assert "internal" in outcome.detail


def test_somebody_who_waits_for_a_picture_that_fails_is_told_to_try_again():
    def answer(_picture):
        raise Failed("internal")

    with Bench(FakeClassifier(answer)) as bench:
        bench.part.wait(up=True)
        bench.offer("http.jpg", Lane.INTERACTIVE)
        (settlement,) = bench.settlements.wait("http.jpg")
        assert settlement.disposition is Disposition.RETRY
        assert "internal" in settlement.detail


def test_an_outage_is_noticed_without_traffic():
    classifier = FakeClassifier()
    with Bench(classifier, refresh=0.01) as bench:
        bench.part.wait(up=True)
        classifier.probe_error = Unavailable("connection refused")
        assert bench.part.wait(up=False) == "connection refused"
        assert "connection refused" in bench.model.away


def test_a_model_that_does_not_fit_its_settings_ends_the_start():
    classifier = FakeClassifier()
    classifier.probe_error = ConfigurationError("2 labels but 10 outputs")
    bench = Bench(classifier)
    with bench:
        bench.threads[-1].join(BOUND)
    assert [str(error) for error in bench.errors] == ["2 labels but 10 outputs"]


def test_a_model_that_stops_fitting_later_is_away():
    classifier = FakeClassifier()
    with Bench(classifier, refresh=0.01) as bench:
        bench.part.wait(up=True)
        classifier.probe_error = ConfigurationError("2 labels but 10 outputs")
        assert bench.part.wait(up=False) == "2 labels but 10 outputs"
        classifier.probe_error = None
        bench.part.wait(up=True)
    assert bench.errors == []


def test_nothing_is_settled_for_what_still_waits_when_the_model_stops():
    classifier = FakeClassifier()
    classifier.probe_error = Unavailable("away")
    with Bench(classifier) as bench:
        bench.part.wait(up=False)
        bench.offer("bulk.jpg")
    assert bench.settlements.taken == {}


def test_a_suspect_that_is_delivered_again_meanwhile_is_answered_both_times(monkeypatch):
    monkeypatch.setattr("classifyd.core.suspects.FIRST_DELAY", 0.05)
    failures = [Failed("internal")] * 4

    def answer(_picture):
        if failures:
            raise failures.pop()
        return PREDICTION

    with Bench(FakeClassifier(answer)) as bench:
        bench.part.wait(up=True)
        recorded = []
        bench.model._record = lambda delivery, outcome: (
            recorded.append(outcome),
            bench.record(delivery, outcome),
        )
        bench.offer("odd")
        bench.offer("odd")
        with bench.changed:
            assert bench.changed.wait_for(lambda: recorded == [PREDICTION, PREDICTION], BOUND)
    assert bench.errors == []


def test_a_suspect_is_tried_apart_from_others(monkeypatch):
    monkeypatch.setattr("classifyd.core.suspects.FIRST_DELAY", 0.05)
    classifier = FakeClassifier()
    patience = [Unavailable("timed out")] * 3

    def answer(picture):
        if picture.origin.name == "odd" and patience:
            raise patience.pop()
        return PREDICTION

    classifier.answer = answer
    with Bench(classifier) as bench:
        bench.part.wait(up=True)
        bench.offer("odd")
        for number in range(40):
            bench.offer(str(number))
        bench.wait_recorded("odd", *map(str, range(40)))
    tries = [call for call in classifier.calls if "odd" in call]
    assert all(call == ["odd"] for call in tries[-2:])


def test_another_version_may_accept_larger_batches_again():
    classifier = FakeClassifier()
    with Bench(classifier, refresh=0.01) as bench:
        bench.part.wait(up=True)
        bench.model._lower_batch(1)
        classifier.version = "2"
        with bench.part.changed:
            assert bench.part.changed.wait_for(lambda: "version 2" in bench.part.state[1], BOUND)
        bench.model.watch.went_away(Unavailable("held back by the test"))
        assert bench.model.info.version == "2"
        assert bench.model._max_batch == 8


def test_a_picture_that_takes_the_model_down_does_not_keep_others_from_it(monkeypatch):
    monkeypatch.setattr("classifyd.core.suspects.FIRST_DELAY", 3600.0)
    classifier = FakeClassifier()

    def answer(picture):
        if picture.origin.name == "heavy":
            classifier.control = Unavailable("killed for memory")
            raise Unavailable("killed for memory")
        return PREDICTION

    def probe():
        classifier.control = None  # something restarts the server
        return original()

    original, classifier.probe, classifier.answer = classifier.probe, probe, answer
    with Bench(classifier) as bench:
        bench.part.wait(up=True)
        for name in ("heavy", *map(str, range(20))):
            bench.offer(name)
        assert set(map(id, bench.wait_recorded(*map(str, range(20))))) == {id(PREDICTION)}
        assert "heavy" not in bench.recorded
