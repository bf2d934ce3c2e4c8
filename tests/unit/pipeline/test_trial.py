import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifyd.core.errors import Failed, Oversized, Refused, Unavailable
from classifyd.core.values import Reason, Rejected
from classifyd.pipeline.trial import Trial
from tests.unit.pipeline.fakes import PREDICTION, FakeClassifier, image


def trial_of(classifier: FakeClassifier, lowered: list[int] | None = None) -> Trial:
    return Trial(classifier, (lowered if lowered is not None else []).append)


def raising(bad: dict[str, Exception]):
    def answer(picture):
        if (error := bad.get(picture.origin.name)) is not None:
            raise error
        return PREDICTION

    return answer


@given(st.integers(1, 40), st.sets(st.integers(0, 39)))
def test_only_the_pictures_that_the_model_refuses_alone_are_rejected(count, bad):
    names = [str(number) for number in range(count)]
    lowered: list[int] = []
    classifier = FakeClassifier(raising({str(number): Refused("bad input") for number in bad}))
    verdicts = dict(trial_of(classifier, lowered).verdicts([image(name) for name in names]))
    assert sorted(verdicts) == list(range(count))
    rejected = {index for index, verdict in verdicts.items() if isinstance(verdict, Rejected)}
    assert rejected == {number for number in bad if number < count}
    assert lowered == []
    assert all(
        verdict.reason is Reason.REFUSED_BY_MODEL for verdict in verdicts.values() if verdict != PREDICTION
    )


def test_one_bad_picture_costs_few_calls():
    classifier = FakeClassifier(raising({"5": Refused("bad input")}))
    list(trial_of(classifier).verdicts([image(str(number)) for number in range(32)]))
    assert len(classifier.calls) <= 2 * 5 + 1


@given(st.integers(2, 40), st.integers(1, 39))
def test_a_batch_that_only_its_size_condemns_is_answered_whole_and_the_size_is_told(count, limit):
    lowered: list[int] = []
    classifier = FakeClassifier()
    original = classifier.classify

    def classify(images):
        if len(images) > limit:
            raise Refused("batch too large")
        return original(images)

    classifier.classify = classify
    verdicts = list(trial_of(classifier, lowered).verdicts([image(str(number)) for number in range(count)]))
    assert [verdict for _index, verdict in verdicts] == [PREDICTION] * count
    assert bool(lowered) == (count > limit)
    assert all(limit <= size * 2 for size in lowered)
    assert not lowered or min(lowered) <= limit


def test_a_refusal_condemns_nothing_while_the_control_picture_is_refused_too():
    classifier = FakeClassifier(raising({"a": Refused("no such signature")}))
    classifier.control = Refused("no such signature")
    with pytest.raises(Unavailable, match="control picture"):
        list(trial_of(classifier).verdicts([image("a")]))


def test_a_failure_alone_is_the_pictures_only_while_the_control_picture_passes():
    classifier = FakeClassifier(raising({"a": Failed("internal")}))
    ((_, verdict),) = trial_of(classifier).verdicts([image("a")])
    assert isinstance(verdict, Failed)
    classifier.control = Failed("internal")
    with pytest.raises(Unavailable):
        list(trial_of(classifier).verdicts([image("a")]))


def test_an_outage_of_a_batch_is_told_at_once_with_what_was_answered_before():
    classifier = FakeClassifier(raising({"0": Refused("bad"), "3": Unavailable("gone")}))
    seen = []
    with pytest.raises(Unavailable, match="gone"):
        seen.extend(trial_of(classifier).verdicts([image(str(number)) for number in range(4)]))
    classifier = FakeClassifier(raising({"3": Unavailable("gone")}))
    with pytest.raises(Unavailable, match="gone"):
        list(trial_of(classifier).verdicts([image(str(number)) for number in range(4)]))


def test_a_picture_that_alone_gets_no_answer_is_told_apart_from_an_outage_by_the_control_picture():
    classifier = FakeClassifier(raising({"a": Unavailable("timed out")}))
    ((_, verdict),) = trial_of(classifier).verdicts([image("a")])
    assert isinstance(verdict, Unavailable)
    classifier.control = Unavailable("timed out")
    with pytest.raises(Unavailable):
        list(trial_of(classifier).verdicts([image("a")]))


def test_an_error_that_concerns_one_picture_of_a_batch_is_tried_alone():
    classifier = FakeClassifier(lambda picture: Failed("NaN") if picture.origin.name == "1" else PREDICTION)
    verdicts = dict(trial_of(classifier).verdicts([image(str(number)) for number in range(3)]))
    assert classifier.calls == [["0", "1", "2"], ["1"]]
    assert isinstance(verdicts[1], Failed)
    assert verdicts[0] == verdicts[2] == PREDICTION


@pytest.mark.parametrize("control", [Failed("NaN"), Rejected(Reason.UNDECODABLE, "cannot decode it")])
def test_a_model_that_does_not_accept_the_control_picture_is_not_available(control):
    classifier = FakeClassifier()
    classifier.classify = lambda _images: [control]
    with pytest.raises(Unavailable, match="control picture"):
        trial_of(classifier).check()


def test_a_limit_on_the_way_to_the_model_condemns_no_picture():
    classifier = FakeClassifier(raising({"a": Oversized("413")}))
    ((_, verdict),) = trial_of(classifier).verdicts([image("a")])
    assert isinstance(verdict, Unavailable)


def test_a_limit_on_the_way_to_the_model_is_told_as_the_size_of_batches():
    lowered: list[int] = []
    classifier = FakeClassifier()
    original = classifier.classify

    def classify(images):
        if len(images) > 2:
            raise Oversized("413")
        return original(images)

    classifier.classify = classify
    verdicts = list(trial_of(classifier, lowered).verdicts([image(str(number)) for number in range(8)]))
    assert [verdict for _index, verdict in verdicts] == [PREDICTION] * 8
    assert min(lowered) == 2
