"""What every classifier must do, whatever engine and model are behind it.

A test class inherits from `ClassifierContract` and provides the fixture `classifier`.
"""

import math
from concurrent.futures import ThreadPoolExecutor

import pytest

from classifyd.core.errors import Refused
from classifyd.core.ports import Classifier
from classifyd.core.values import Image, Prediction, Rejected
from verification.kit.pictures import image, jpeg, without_segment

RED, GREEN, BLUE = (image(jpeg(colour), colour) for colour in ("red", "green", "blue"))
UNDECODABLE = image(without_segment(jpeg("red"), 0xDB), "undecodable")


def predicted(classifier: Classifier, *images: Image) -> list[Prediction]:
    """The predictions for pictures of which none may be anything else."""
    answers = classifier.classify(images)
    assert all(isinstance(answer, Prediction) for answer in answers), answers
    return [answer for answer in answers if isinstance(answer, Prediction)]


class ClassifierContract:
    """Inherited by a test class for each adapter."""

    def test_it_says_what_it_is(self, classifier: Classifier) -> None:
        info = classifier.probe()
        assert info.name == classifier.name
        assert info.version
        assert len(info.labels) > 1

    def test_there_is_an_answer_for_each_picture_in_order(self, classifier: Classifier) -> None:
        together = predicted(classifier, RED, GREEN, BLUE, RED)
        for picture, in_batch in zip((RED, GREEN, BLUE, RED), together, strict=True):
            [alone] = predicted(classifier, picture)
            assert alone.best.class_index == in_batch.best.class_index
            assert math.isclose(alone.best.probability, in_batch.best.probability, abs_tol=1e-3)

    def test_no_pictures_have_no_answers(self, classifier: Classifier) -> None:
        assert list(classifier.classify([])) == []

    def test_a_prediction_lists_its_best_classes_first(self, classifier: Classifier) -> None:
        labels = classifier.probe().labels
        for prediction in predicted(classifier, RED, GREEN):
            probabilities = [candidate.probability for candidate in prediction.top]
            assert probabilities == sorted(probabilities, reverse=True)
            assert min(probabilities) >= 0
            assert sum(probabilities) <= 1.001
            assert len(prediction.top) == min(5, len(labels))
            assert [candidate.label for candidate in prediction.top] == [
                labels[candidate.class_index] for candidate in prediction.top
            ]

    def test_a_prediction_names_the_model_and_its_version(self, classifier: Classifier) -> None:
        [prediction] = predicted(classifier, RED)
        assert prediction.model == classifier.name
        assert prediction.model_version == classifier.probe().version

    @pytest.mark.parametrize(
        "data",
        [
            jpeg("red", mode="L"),
            jpeg("red", mode="CMYK"),
            jpeg("red", progressive=True),
            jpeg("red", size=(1, 1)),
            jpeg("red", size=(1500, 40)),
        ],
        ids=["greyscale", "CMYK", "progressive", "one pixel", "long"],
    )
    def test_every_kind_of_jpeg_is_classified(self, classifier: Classifier, data: bytes) -> None:
        predicted(classifier, image(data))

    def test_a_picture_that_cannot_be_decoded_is_not_predicted(self, classifier: Classifier) -> None:
        try:
            [answer] = classifier.classify([UNDECODABLE])
        except Refused:
            return
        assert isinstance(answer, Rejected)

    def test_a_bad_picture_is_never_blamed_on_its_neighbours(self, classifier: Classifier) -> None:
        try:
            red, bad, green = classifier.classify([RED, UNDECODABLE, GREEN])
        except Refused:  # the batch, and no picture by name
            return
        assert isinstance(bad, Rejected)
        assert [red, green] == predicted(classifier, RED, GREEN)

    def test_several_threads_may_ask_at_once(self, classifier: Classifier) -> None:
        pictures = [RED, GREEN, BLUE] * 4
        expected = [answer.best.class_index for answer in predicted(classifier, *pictures)]
        with ThreadPoolExecutor(4) as threads:
            answers = threads.map(lambda picture: predicted(classifier, picture)[0], pictures, timeout=60)
        assert [answer.best.class_index for answer in answers] == expected
