"""From probabilities to predictions."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from classifyd.core.errors import Failed
from classifyd.core.values import Prediction
from classifyd.engines.ranking import predictions

rows = arrays(np.float32, st.tuples(st.integers(1, 4), st.integers(2, 9)), elements=st.floats(0, 1, width=32))


@given(rows, st.integers(1, 12))
def test_the_best_come_first_and_of_equals_the_lower_index(values: np.ndarray, top_k: int) -> None:
    labels = [f"class {index}" for index in range(values.shape[1])]
    for row, prediction in zip(values, predictions(values, labels, top_k, "m", "1"), strict=True):
        assert isinstance(prediction, Prediction)
        expected = sorted(range(len(row)), key=lambda index: (-row[index], index))[:top_k]
        assert [candidate.class_index for candidate in prediction.top] == expected
        assert [candidate.label for candidate in prediction.top] == [labels[index] for index in expected]
        assert [candidate.probability for candidate in prediction.top] == [row[index] for index in expected]
        assert (prediction.model, prediction.model_version) == ("m", "1")


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf, -0.1, 7.3])
def test_numbers_that_are_no_probabilities_fail_that_picture_alone(wrong: float) -> None:
    values = np.array([[0.9, 0.1], [wrong, 0.5], [0.2, 0.8]])
    first, spoiled, last = predictions(values, ["a", "b"], 1, "m", "1")
    assert isinstance(first, Prediction)
    assert isinstance(spoiled, Failed)
    assert isinstance(last, Prediction)
    assert last.best.label == "b"


def test_a_rounding_above_one_is_a_probability_of_one() -> None:
    [prediction] = predictions(np.array([[1.0004, -0.0004]]), ["a", "b"], 2, "m", "1")
    assert isinstance(prediction, Prediction)
    assert [candidate.probability for candidate in prediction.top] == [1.0, 0.0]
