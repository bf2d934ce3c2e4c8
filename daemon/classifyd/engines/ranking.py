"""From rows of probabilities to predictions: the same for every engine."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from classifyd.core.errors import Failed
from classifyd.core.values import Candidate, Prediction

_TOLERANCE = 1e-3  # a softmax in reduced precision may end a little above 1


def predictions(
    rows: NDArray[np.floating], labels: Sequence[str], top_k: int, model: str, version: str
) -> list[Prediction | Failed]:
    """A prediction for each row of `rows` [pictures, classes], its `top_k` best classes first (all, where
    there are fewer); of equals the lower index is first.

    A row that is no list of probabilities (NaN, infinite, outside 0..1) says that the model failed on that
    picture, nothing else.
    """
    within: NDArray[np.bool_] = (rows >= -_TOLERANCE) & (rows <= 1 + _TOLERANCE)  # False for NaN
    sound = np.all(within, axis=1)
    best = np.argsort(-rows, axis=1, kind="stable")[:, :top_k]
    values = np.clip(np.take_along_axis(rows, best, axis=1), 0.0, 1.0)
    return [
        Prediction(_candidates(indices, probabilities, labels), model, version)
        if fine
        else Failed(f"model {model} answered with numbers that are no probabilities (NaN or outside 0..1)")
        for indices, probabilities, fine in zip(best.tolist(), values.tolist(), sound, strict=True)
    ]


def _candidates(
    indices: list[int], probabilities: list[float], labels: Sequence[str]
) -> tuple[Candidate, ...]:
    return tuple(
        Candidate(index, labels[index], probability)
        for index, probability in zip(indices, probabilities, strict=True)
    )
