"""Nearest rank."""

from math import isnan

from verification.kit.percentiles import percentile


def test_a_percentile_is_one_of_the_values():
    assert percentile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert percentile([1.0], 0.99) == 1.0
    assert isnan(percentile([], 0.5))
