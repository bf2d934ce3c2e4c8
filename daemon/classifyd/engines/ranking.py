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
    best = _best(rows, min(top_k, rows.shape[1]))
    values = np.clip(np.take_along_axis(rows, best, axis=1), 0.0, 1.0)
    return [
        Prediction(_candidates(indices, probabilities, labels), model, version)
        if fine
        else Failed(f"model {model} answered with numbers that are no probabilities (NaN or outside 0..1)")
        for indices, probabilities, fine in zip(best.tolist(), values.tolist(), sound, strict=True)
    ]


def _best(rows: NDArray[np.floating], count: int) -> NDArray[np.intp]:
    """The indices of each row's `count` largest numbers, the largest first, of equals the lower index.

    To sort a thousand numbers for the sake of five takes ten times as long as to pick these out first.
    """
    classes = rows.shape[1]
    picked = np.sort(np.argpartition(rows, classes - count, axis=1)[:, classes - count :], axis=1)
    values = np.take_along_axis(rows, picked, axis=1)
    best = np.take_along_axis(picked, np.argsort(-values, axis=1, kind="stable"), axis=1)
    # Where the last one picked has equals, which of them was picked is chance.
    for row in np.flatnonzero((rows >= values.min(axis=1)[:, None]).sum(axis=1) > count):
        best[row] = np.argsort(-rows[row], kind="stable")[:count]
    return best


def _candidates(
    indices: list[int], probabilities: list[float], labels: Sequence[str]
) -> tuple[Candidate, ...]:
    return tuple(
        Candidate(index, labels[index], probability)
        for index, probability in zip(indices, probabilities, strict=True)
    )
