"""The drop box, what is said once, and health."""

import threading

from classifyd.sources.folder.health import Health
from classifyd.sources.folder.hints import Hints
from classifyd.sources.folder.once import Once


class Part:
    def __init__(self) -> None:
        self.told: list[str] = []

    def up(self, detail: str = "") -> None:
        self.told.append("up")

    def down(self, reason: str) -> None:
        self.told.append(reason)


def test_hints_are_taken_once() -> None:
    hints = Hints()
    hints.closed("/inbox/a.jpg")
    hints.folder("/inbox")
    hints.folder("/inbox/new", deep=True)
    hints.folder("/inbox/new")
    noted = hints.take()
    assert noted.closed == {"/inbox/a.jpg"}
    assert noted.folders == {"/inbox": False, "/inbox/new": True}
    assert not noted.missed
    assert hints.take().folders == {}


def test_more_hints_than_fit_ask_for_a_full_scan() -> None:
    files, folders = Hints(limit=2), Hints(limit=2)
    for number in range(3):
        assert not files.take().missed if number == 0 else True
        files.closed(str(number))
        folders.folder(str(number))
    assert files.take().missed
    assert folders.take().missed
    assert not files.take().missed


def test_waiting_ends_with_a_hint() -> None:
    for drop in (Hints.missed, Hints.wake, lambda hints: hints.closed("a"), lambda hints: hints.folder("a")):
        hints = Hints()
        waiter = threading.Thread(target=hints.wait, args=(60.0,))
        waiter.start()
        drop(hints)
        waiter.join(10.0)
        assert not waiter.is_alive()


def test_something_is_said_once_until_it_is_forgotten() -> None:
    once = Once(limit=2)
    assert [once.first(word) for word in "aabbab"] == [True, False, True, False, False, False]
    assert once.first("c")
    assert once.first("a"), "the least recent subject was forgotten"


def test_a_part_is_up_when_no_thread_has_a_reason_against_it() -> None:
    part = Part()
    health = Health(part)
    health.well("inbox")
    health.ill("mover", "disk full")
    health.ill("mover", "disk full")
    health.ill("inbox", "missing")
    health.well("mover")
    health.well("mover")
    health.well("inbox")
    assert part.told == ["up", "disk full", "disk full; missing", "missing", "up"]
