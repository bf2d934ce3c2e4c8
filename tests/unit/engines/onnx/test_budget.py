"""The pixel budget."""

import threading

import pytest

from classifyd.engines.onnx.budget import PixelBudget

PATIENCE = 10.0


class Holder:
    """Takes room on a thread of its own and holds it until told."""

    def __init__(self, budget: PixelBudget, pixels: int) -> None:
        self.held = threading.Event()
        self._release = threading.Event()
        self._thread = threading.Thread(target=self._hold, args=(budget, pixels), name="holder", daemon=True)
        self._thread.start()

    def release(self) -> None:
        self._release.set()
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()

    def _hold(self, budget: PixelBudget, pixels: int) -> None:
        with budget.taken(pixels):
            self.held.set()
            self._release.wait(PATIENCE)


def test_pictures_within_the_budget_are_held_at_once() -> None:
    budget = PixelBudget(100)
    first, second = Holder(budget, 60), Holder(budget, 40)
    assert first.held.wait(PATIENCE)
    assert second.held.wait(PATIENCE)
    first.release()
    second.release()


def test_a_picture_beyond_the_budget_waits_for_room() -> None:
    budget = PixelBudget(100)
    first = Holder(budget, 60)
    assert first.held.wait(PATIENCE)
    second = Holder(budget, 41)
    assert not second.held.wait(0.05)
    first.release()
    assert second.held.wait(PATIENCE)
    second.release()


def test_a_picture_above_the_whole_budget_is_taken_alone() -> None:
    budget = PixelBudget(100)
    large = Holder(budget, 5000)
    assert large.held.wait(PATIENCE)
    small = Holder(budget, 1)
    assert not small.held.wait(0.05)
    large.release()
    assert small.held.wait(PATIENCE)
    small.release()


def test_small_pictures_do_not_overtake_a_large_one() -> None:
    budget = PixelBudget(100)
    first = Holder(budget, 60)
    assert first.held.wait(PATIENCE)
    large = Holder(budget, 100)
    assert not large.held.wait(0.05)
    small = Holder(budget, 1)
    assert not small.held.wait(0.05)
    first.release()
    assert large.held.wait(PATIENCE)
    large.release()
    assert small.held.wait(PATIENCE)
    small.release()


def test_room_is_given_back_when_a_decode_fails() -> None:
    budget = PixelBudget(100)
    for _ in range(3):
        with pytest.raises(ValueError, match="broken"), budget.taken(100):
            raise ValueError("broken")
