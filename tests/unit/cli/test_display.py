import io
import logging

import pytest
from rich.console import Console

from classifyd.cli.display import Display
from classifyd.cli.progress import Rate, line
from classifyd.core.values import Progress
from classifyd.telemetry import logs


def progress(waiting=0, in_flight=0, done=0, rejected=0):
    return Progress(waiting, in_flight, done, rejected)


@pytest.fixture
def console():
    return Console(file=io.StringIO(), force_terminal=True, width=80, legacy_windows=False)


def test_the_line_says_everything_at_one_glance():
    assert line(progress(12_000, 3, 40, 1), 12.34) == (
        "waiting 12,000 · in flight 3 · done 40 · rejected 1 · 12.3 pictures/s"
    )


def test_the_rate_is_that_of_the_last_seconds():
    rate = Rate(window=5.0)
    assert rate.update(100.0, 7) == 0.0
    assert rate.update(101.0, 17) == 10.0
    assert rate.update(102.0, 17) == 5.0
    for second in range(103, 120):
        latest = rate.update(float(second), 17)
    assert latest == 0.0


def test_log_lines_stand_whole_above_the_live_line(console, isolated_logging):
    with Display(console, bar=False, clock=lambda: 0.0) as display:
        logs.configure("info", "console", display.stream)
        display.show(progress(done=1))
        logging.getLogger("classifyd").info("x" * 100)
        display.show(progress(done=2))
    shown = console.file.getvalue()
    assert "x" * 100 in shown
    before, after = shown.split("x" * 100)
    assert "done 1" in before
    assert "done 2" in after


def test_brackets_in_a_log_line_are_no_markup(console, isolated_logging):
    with Display(console, bar=False) as display:
        print("[red]name[/red].jpg", file=display.stream)
    assert "[red]name[/red].jpg" in console.file.getvalue()


def test_a_narrow_terminal_cuts_the_line_instead_of_wrapping_it():
    console = Console(file=io.StringIO(), force_terminal=True, width=20, legacy_windows=False)
    with Display(console, bar=False) as display:
        display.show(progress(1, 2, 3, 4))
        assert console.file.getvalue().count("\n") == 0
    assert "…" in console.file.getvalue()


def test_the_bar_counts_what_has_an_outcome_of_what_is_known(console):
    with Display(console, bar=True) as display:
        display.show(progress())
        assert "0/0" in console.file.getvalue()
        display.show(progress(waiting=5, in_flight=2, done=2, rejected=1))
    assert "3/10" in console.file.getvalue()
