from datetime import timedelta

import pytest
import structlog

from classifyd.pipeline.health import Parts
from tests.unit.pipeline.fakes import NOW


@pytest.fixture
def clock():
    class Clock:
        now = NOW

        def __call__(self):
            return self.now

    return Clock()


def test_a_daemon_is_ready_when_every_part_is_up(clock):
    parts = Parts(clock)
    folder, model = parts.register("folder"), parts.register("model:resnet")
    assert not parts.ready
    folder.up()
    assert not parts.ready
    model.up("version 1")
    assert parts.ready
    model.down("connection refused")
    assert not parts.ready
    assert list(parts.parts()) == ["folder", "model:resnet"]


def test_a_stopping_daemon_is_not_ready(clock):
    parts = Parts(clock)
    parts.register("folder").up()
    parts.stopping()
    assert not parts.ready


def test_only_changes_are_told(clock):
    parts = Parts(clock)
    with structlog.testing.capture_logs() as lines:
        part = parts.register("kafka")
        part.down("connection refused")
        part.down("connection refused")
        part.down("timed out")
        part.up()
        part.up("4 partitions")
        part.down("connection refused")
    assert [(line["event"], line.get("reason")) for line in lines] == [
        ("part is down", "connection refused"),
        ("part is up", None),
        ("part is down", "connection refused"),
    ]


def test_a_part_says_since_when_it_is_as_it_is(clock):
    parts = Parts(clock)
    part = parts.register("kafka")
    part.down("connection refused")
    clock.now = NOW + timedelta(seconds=5)
    part.down("timed out")
    assert parts.parts()["kafka"].since == NOW
    assert parts.parts()["kafka"].detail == "timed out"
    part.up()
    assert parts.parts()["kafka"].since == clock.now
