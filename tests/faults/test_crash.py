"""Killed anywhere between two durable effects, the daemon loses nothing and does nothing twice."""

import signal
from pathlib import Path

import pytest

from classifyd.crashpoints import Point
from verification.faults.crash.lane import Report
from verification.faults.crash.pictures import MAX_BYTES, Kind, picture
from verification.faults.crash.plan import Plan
from verification.faults.crash.running import planned, run
from verification.faults.crash.zygote import Zygote

ROUNDS = 300
SEED = 20261122
LANES = 4
BOUND = 60.0


@pytest.mark.kafka
@pytest.mark.timeout(1800)
def test_nothing_is_lost_and_nothing_done_twice_in_300_rounds_of_crashes(broker, tmp_path):
    total = Report()
    run(broker.bootstrap_servers, SEED, planned(ROUNDS), LANES, tmp_path, total.add)
    assert total.broken == []
    assert total.rounds == ROUNDS
    assert total.hits.total() >= ROUNDS, "too few lives ended at their points"
    assert len(total.hits) >= 0.8 * len(Point), f"never hit: {set(Point) - total.hits.keys()}"


def test_a_seed_makes_the_same_plan_again():
    assert list(Plan(7, 3).rounds(20)) == list(Plan(7, 3).rounds(20))
    assert list(Plan(7, 3).rounds(20)) != list(Plan(8, 3).rounds(20))


def test_some_world_aims_at_every_point():
    aimed = {life.point for world in range(40) for one in Plan(1, world).rounds(20) for life in one.lives}
    assert aimed == set(Point)


def test_every_kind_of_picture_is_fed():
    feeds = [
        feed for one in Plan(1, 0).rounds(200) for life in one.lives for feed in (*life.early, *life.late)
    ]
    assert {feed.kind for feed in feeds if feed.partition is not None} == set(Kind)
    assert {feed.kind for feed in feeds if feed.partition is None} == set(Kind) - {Kind.EMPTY, Kind.TOMBSTONE}


def test_every_picture_has_bytes_of_its_own():
    own = set(Kind) - {Kind.EMPTY, Kind.TOMBSTONE}
    assert len({picture(kind, number) for kind in own for number in range(50)}) == 50 * len(own)
    assert len(picture(Kind.LARGE, 1)) <= MAX_BYTES < len(picture(Kind.TOO_LARGE, 1))


@pytest.fixture(scope="module")
def zygote():
    with Zygote() as zygote:
        yield zygote


def start(zygote: Zygote, folder: Path, **settings: str) -> None:
    variables = {f"CLASSIFYD_{name}": value for name, value in {"HTTP__ENABLED": "false", **settings}.items()}
    folder.mkdir(exist_ok=True)
    (folder / "daemon.log").touch()
    zygote.launch(folder, variables, folder / "daemon.log")


def test_a_forked_daemon_dies_at_its_point(zygote, tmp_path):
    start(zygote, tmp_path, CRASH_AT="instance-made:1")
    assert zygote.ended(BOUND) == -signal.SIGKILL
    assert (tmp_path / "data" / "classifyd.db").exists()


def test_a_forked_daemon_ends_like_one_of_its_own(zygote, tmp_path):
    start(zygote, tmp_path, CRASH_AT="nowhere:1")
    assert zygote.ended(BOUND) == 2
    assert "there is no crash point 'nowhere'" in (tmp_path / "daemon.log").read_text()


def test_a_forked_daemon_can_be_killed_and_asked_to_end(zygote, tmp_path):
    start(zygote, tmp_path / "killed")
    zygote.kill()
    start(zygote, tmp_path, CRASH_AT="sources-drained:1")
    while b'"event": "started"' not in (tmp_path / "daemon.log").read_bytes():
        assert zygote.ended(0.05) is None
    zygote.ask_to_end()
    assert zygote.ended(BOUND) == -signal.SIGKILL
