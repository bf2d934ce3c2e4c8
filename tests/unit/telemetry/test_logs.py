"""The log: one pipeline for our events and for the libraries' own lines."""

import io
import json
import logging
import warnings

import pytest
import structlog

from classifyd.core.times import utc_moment
from classifyd.telemetry import logs


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def lines(stream: io.StringIO) -> list[dict]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


@pytest.mark.parametrize("form", ["json", "auto"])
def test_what_is_not_a_terminal_gets_one_json_object_a_line(isolated_logging, form):
    stream = io.StringIO()
    logs.configure("info", form, stream)
    structlog.stdlib.get_logger("classifyd").info("started", port=5000)
    (line,) = lines(stream)
    assert (line["event"], line["level"], line["port"]) == ("started", "info", 5000)
    assert list(line) == ["timestamp", "level", "event", "port"]


def test_times_are_utc(isolated_logging):
    stream = io.StringIO()
    logs.configure("info", "json", stream)
    structlog.stdlib.get_logger("classifyd").info("started")
    stamp = lines(stream)[0]["timestamp"]
    assert stamp.endswith("Z")
    utc_moment(stamp)


def test_a_terminal_gets_lines_for_people(isolated_logging):
    stream = Terminal()
    logs.configure("info", "auto", stream)
    structlog.stdlib.get_logger("classifyd").info("started")
    assert "started" in stream.getvalue()
    assert not stream.getvalue().startswith("{")


def test_a_library_s_line_goes_through_the_same_pipeline(isolated_logging):
    stream = io.StringIO()
    logs.configure("info", "json", stream)
    logging.getLogger("kafka.conn").warning("broker %s is away", 1)
    (line,) = lines(stream)
    assert (line["event"], line["level"]) == ("broker 1 is away", "warning")


@pytest.mark.parametrize("library", ["kafka", "watchdog", "alembic", "uvicorn"])
def test_a_library_s_chatter_is_left_out(isolated_logging, library):
    stream = io.StringIO()
    logs.configure("debug", "json", stream)
    logging.getLogger(library).info("chatter")
    assert stream.getvalue() == ""


def test_access_logs_are_off(isolated_logging):
    stream = io.StringIO()
    logs.configure("debug", "json", stream)
    logging.getLogger("uvicorn.access").error("GET / 200")
    assert stream.getvalue() == ""


def test_a_library_is_never_louder_than_the_level_asked_for(isolated_logging):
    stream = io.StringIO()
    logs.configure("error", "json", stream)
    logging.getLogger("kafka").warning("broker away")
    assert stream.getvalue() == ""


def test_an_exception_is_one_line_with_its_traceback(isolated_logging):
    stream = io.StringIO()
    logs.configure("info", "json", stream)
    try:
        raise RuntimeError("boom")
    except RuntimeError:
        structlog.stdlib.get_logger("classifyd").exception("a part died")
    (line,) = lines(stream)
    assert "RuntimeError: boom" in line["exception"]


def test_warnings_are_logged(isolated_logging):
    stream = io.StringIO()
    logs.configure("info", "json", stream)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(False)
        logging.captureWarnings(True)
        warnings.warn("old", DeprecationWarning, stacklevel=1)
    assert "DeprecationWarning: old" in lines(stream)[0]["event"]


def test_configuring_again_replaces_the_first(isolated_logging):
    first, second = io.StringIO(), io.StringIO()
    logs.configure("info", "json", first)
    logs.configure("info", "json", second)
    structlog.stdlib.get_logger("classifyd").info("started")
    assert first.getvalue() == ""
    assert len(lines(second)) == 1


def test_foreign_text_makes_no_line_of_its_own_for_people_either(isolated_logging):
    stream = io.StringIO()
    logs.configure("info", "console", stream)
    structlog.stdlib.get_logger("classifyd").info("rejected", detail="a\n2026-01-01 [error] forged\x1b[2J")
    logging.getLogger("kafka").error("a\nb")
    assert len(stream.getvalue().splitlines()) == 2
    assert "\x1b" not in stream.getvalue()
