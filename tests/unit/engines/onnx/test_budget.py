"""The pixel budget."""

import threading
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from classifyd.engines.onnx.budget import PixelBudget

PATIENCE = 10.0


class Holder:
    """Takes room on a thread of its own and holds it until told."""

    def __init__(self, budget: PixelBudget, pixels: int, threads: ThreadPoolExecutor) -> None:
        self.held = threading.Event()
        self._release = threading.Event()
        self._done: Future[None] = threads.submit(self._hold, budget, pixels)

    def release(self) -> None:
        self._release.set()
        self._done.result(PATIENCE)

    def _hold(self, budget: PixelBudget, pixels: int) -> None:
        with budget.taken(pixels):
            self.held.set()
            assert self._release.wait(PATIENCE)


@pytest.fixture
def threads() -> ThreadPoolExecutor:
    with ThreadPoolExecutor(4) as executor:
        yield executor


def test_pictures_within_the_budget_are_held_at_once(threads: ThreadPoolExecutor) -> None:
    budget = PixelBudget(100)
    first, second = Holder(budget, 60, threads), Holder(budget, 40, threads)
    assert first.held.wait(PATIENCE)
    assert second.held.wait(PATIENCE)
    first.release()
    second.release()


def test_a_picture_beyond_the_budget_waits_for_room(threads: ThreadPoolExecutor) -> None:
    budget = PixelBudget(100)
    first = Holder(budget, 60, threads)
    assert first.held.wait(PATIENCE)
    second = Holder(budget, 41, threads)
    assert not second.held.wait(0.05)
    first.release()
    assert second.held.wait(PATIENCE)
    second.release()


def test_a_picture_above_the_whole_budget_is_taken_alone(threads: ThreadPoolExecutor) -> None:
    budget = PixelBudget(100)
    large = Holder(budget, 5000, threads)
    assert large.held.wait(PATIENCE)
    small = Holder(budget, 1, threads)
    assert not small.held.wait(0.05)
    large.release()
    assert small.held.wait(PATIENCE)
    small.release()


def test_small_pictures_do_not_overtake_a_large_one(threads: ThreadPoolExecutor) -> None:
    budget = PixelBudget(100)
    first = Holder(budget, 60, threads)
    assert first.held.wait(PATIENCE)
    large = Holder(budget, 100, threads)
    assert not large.held.wait(0.05)
    small = Holder(budget, 1, threads)
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
