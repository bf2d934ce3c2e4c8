"""Events: one type emits both the log line and the metric."""

import dataclasses
import io
import json
import logging
from dataclasses import dataclass
from typing import ClassVar

import pytest
from prometheus_client import CollectorRegistry, Counter

from classifyd import telemetry
from classifyd.telemetry import logs

registry = CollectorRegistry()
lost = Counter("test_lost", "Pictures lost", ["source"], registry=registry)


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureLost(telemetry.Event):
    level: ClassVar[int] = logging.WARNING
    message: ClassVar[str] = "a picture was lost"

    source: str
    path: str | None = None

    def measure(self) -> None:
        lost.labels(self.source).inc()


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted(telemetry.Event):
    message: ClassVar[str] = "noted"


def losses(source: str) -> float:
    return registry.get_sample_value("test_lost_total", {"source": source}) or 0.0


@pytest.fixture
def log(isolated_logging):
    stream = io.StringIO()
    logs.configure("info", "json", stream)
    return lambda: [json.loads(line) for line in stream.getvalue().splitlines()]


def test_an_event_is_logged_with_its_fields_and_measured(log):
    before = losses("folder")
    telemetry.emit(PictureLost(source="folder", path="a.jpg"))
    (line,) = log()
    assert line["event"] == "a picture was lost"
    assert line["level"] == "warning"
    assert (line["source"], line["path"]) == ("folder", "a.jpg")
    assert losses("folder") == before + 1


def test_a_field_without_a_value_is_left_out_of_the_line(log):
    telemetry.emit(PictureLost(source="kafka"))
    assert "path" not in log()[0]


def test_an_event_below_the_level_is_measured_but_not_logged(isolated_logging):
    stream = io.StringIO()
    logs.configure("error", "json", stream)
    before = losses("http")
    telemetry.emit(PictureLost(source="http"))
    assert stream.getvalue() == ""
    assert losses("http") == before + 1


def test_an_event_without_level_or_measure_is_an_info_line(log):
    telemetry.emit(Noted())
    assert [(line["event"], line["level"]) for line in log()] == [("noted", "info")]


def test_an_event_cannot_be_changed():
    event = PictureLost(source="folder")
    with pytest.raises(dataclasses.FrozenInstanceError):
        event.source = "kafka"
