"""The daemon's own order of starting and ending, in this process."""

import signal
from collections.abc import Iterator

import pytest

from classifyd.bootstrap import Daemon
from classifyd.core.errors import ConfigurationError, StoreUnavailable
from classifyd.pipeline.housekeeping import Housekeeping
from classifyd.settings import Settings, load
from classifyd.store.outbox import OutboxReader
from verification.kit.daemon import free_port


@pytest.fixture(autouse=True)
def surroundings(tmp_path, monkeypatch) -> Iterator[None]:
    """An empty working directory, and this process's signal handlers back at the end."""
    monkeypatch.chdir(tmp_path)
    kept = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)


def settings(**overrides: object) -> Settings:
    return load(None, {"http": {"enabled": False}, **overrides})


def with_output() -> Settings:
    servers = f"127.0.0.1:{free_port()}"
    return settings(
        inbox={"enabled": False}, kafka={"bootstrap_servers": servers, "output": {"topic": "outcomes"}}
    )


def test_a_part_that_dies_stops_the_daemon(monkeypatch):
    def fail(_self: Housekeeping) -> None:
        raise SystemExit("the disk is gone")

    monkeypatch.setattr(Housekeeping, "run", fail)
    ticks = []
    assert Daemon(settings(), once=False).run(ticks.append) == 1
    assert ticks


def test_a_start_that_is_refused_later_is_refused_in_the_same_words(monkeypatch):
    def refuse(_self: Housekeeping) -> None:
        raise ConfigurationError("2 labels but 10 outputs")

    monkeypatch.setattr(Housekeeping, "run", refuse)
    with pytest.raises(ConfigurationError, match="2 labels"):
        Daemon(settings(), once=False).run()


def test_a_signal_stops_it():
    signals = [signal.SIGTERM]
    daemon = Daemon(settings(), once=False)
    assert daemon.run(lambda _progress: signals and signal.raise_signal(signals.pop())) == 0
    assert signals == []


def test_a_single_run_without_sources_ends_at_once():
    daemon = Daemon(with_output(), once=True)
    assert daemon.run() == 0
    assert daemon.summary()[0].startswith("0 classified, 0 rejected")


def test_a_single_run_whose_outbox_cannot_be_read_says_so(monkeypatch):
    def unreadable(_self: OutboxReader) -> int:
        raise StoreUnavailable("the disk is gone")

    monkeypatch.setattr(OutboxReader, "count", unreadable)
    daemon = Daemon(with_output(), once=True)
    assert daemon.run() == 1
    assert "outbox could not be read" in daemon.summary()[-1]


def test_a_single_run_that_leaves_messages_behind_says_how_many(monkeypatch):
    monkeypatch.setattr(OutboxReader, "count", lambda _self: 7)
    daemon = Daemon(with_output(), once=True)
    assert daemon.run() == 1
    assert "7 messages wait in the outbox" in daemon.summary()[-1]


def test_the_next_daemon_may_have_the_database_once_this_one_ended():
    for _ in range(2):
        assert Daemon(settings(), once=True).run() == 0
