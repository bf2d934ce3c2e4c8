"""Files are classified in bounded batches, and each gets an answer, in order."""

import pytest

from classifyd.core.control import CONTROL
from classifyd.core.errors import Failed, Refused, Unavailable
from classifyd.core.gate import Limits
from classifyd.core.values import Candidate, Prediction, Reason, Rejected
from classifyd.operations.classify import classify_files

PREDICTION = Prediction((Candidate(0, "cat", 1.0),), "m", "1")


class FakeClassifier:
    """Accepts pictures but those named; notes the size of each batch."""

    name = "m"

    def __init__(self, **errors):
        self.errors = errors
        self.batches = []

    def classify(self, images):
        self.batches.append(len(images))
        for image in images:
            error = self.errors.get((image.origin.name or "").rpartition("/")[2])
            if error is not None:
                raise error
        return [PREDICTION for _ in images]


@pytest.fixture
def files(tmp_path):
    paths = [tmp_path / str(number) for number in range(5)]
    for path in paths:
        path.write_bytes(CONTROL.data)
    return paths


def answers(files, classifier, limits=Limits(), max_batch=2, max_batch_bytes=10**6):  # noqa: B008
    return list(classify_files(files, classifier, limits, max_batch, max_batch_bytes))


def test_answers_come_in_order_from_bounded_batches(files):
    classifier = FakeClassifier()
    found = answers(files, classifier)
    assert [answer.path for answer in found] == files
    assert all(answer.found == PREDICTION for answer in found)
    assert classifier.batches == [2, 2, 1]


def test_a_batch_is_bounded_by_bytes(files):
    classifier = FakeClassifier()
    answers(files, classifier, max_batch=5, max_batch_bytes=3 * len(CONTROL.data))
    assert classifier.batches == [3, 2]


def test_a_picture_over_the_limit_is_not_read(files):
    found = answers(files[:1], FakeClassifier(), limits=Limits(max_bytes=10))
    assert isinstance(found[0].found, Rejected)
    assert found[0].found.reason is Reason.TOO_LARGE


def test_only_the_picture_to_blame_has_no_answer(files):
    found = answers(files, FakeClassifier(**{"1": Refused("no"), "3": Failed("broken")}), max_batch=5)
    assert [isinstance(answer.found, Prediction) for answer in found] == [True, False, True, False, True]
    assert found[1].found.reason is Reason.REFUSED_BY_MODEL
    assert "broken" in found[3].found


def test_a_model_that_is_away_ends_it(files):
    with pytest.raises(Unavailable):
        answers(files, FakeClassifier(**{"0": Unavailable("away"), "control": Unavailable("away")}))


def test_no_file_asks_nothing():
    classifier = FakeClassifier()
    assert answers([], classifier) == []
    assert classifier.batches == []
