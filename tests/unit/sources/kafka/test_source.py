"""How the source connects again."""

from types import SimpleNamespace

import pytest
from kafka.errors import CorruptRecordError, KafkaConnectionError

from classifyd.sources.kafka import source as module
from classifyd.sources.kafka.source import LONGEST_WAIT, KafkaSource
from tests.unit.sources.kafka.fakes import FakeInlet, FakePart

GONE = KafkaConnectionError("gone")


class Stopping:
    """Keeps what is waited for; set after `count` waits."""

    def __init__(self, count):
        self.waits = []
        self._count = count

    def is_set(self):
        return len(self.waits) >= self._count

    def wait(self, seconds):
        self.waits.append(seconds)


class World:
    """A source whose sessions connect, hold for the given seconds each, and fail."""

    def __init__(self, monkeypatch, held, error=GONE):
        self.part = FakePart()
        self.now = 0.0
        held = list(held)
        world = self

        class Session:
            waiting = 0

            def __init__(self, *_args):
                pass

            def run(self, _stopping):
                world.now += held.pop(0)
                raise error

            def close(self):
                pass

        monkeypatch.setattr(module, "Session", Session)
        monkeypatch.setattr(module, "opened", lambda _client, _arguments: None)
        monkeypatch.setattr(module.client, "cluster_id", lambda _consumer: "cluster")
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: self.now))
        config = SimpleNamespace(arguments=lambda _instance: {}, servers="broker:9092", group_id="g")
        self.source = KafkaSource(config, FakeInlet(), "i", self.part, None, None)
        self.stopping = self.source._stopping = Stopping(len(held))
        self.source.run()


def test_the_delay_grows_while_sessions_fail_soon_after_they_connected(monkeypatch):
    waits = World(monkeypatch, [0.1] * 7).stopping.waits
    assert all(wait <= step for wait, step in zip(waits, [0.5, 1, 2, 4, 8, 15, 15], strict=True))
    assert waits[-1] >= LONGEST_WAIT / 2


def test_the_delay_is_short_again_after_a_session_that_held(monkeypatch):
    waits = World(monkeypatch, [0.1, 0.1, 0.1, LONGEST_WAIT + 1, 0.1]).stopping.waits
    assert waits[3] <= 0.5 < waits[2]


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (GONE, "check the broker, and the user, password"),
        (CorruptRecordError("a broker says so"), "skip the record"),
    ],
)
def test_it_is_told_what_to_do(monkeypatch, error, told):
    (reason,) = World(monkeypatch, [0.1], error).part.told
    assert reason.startswith("Kafka at broker:9092: ")
    assert told in reason
