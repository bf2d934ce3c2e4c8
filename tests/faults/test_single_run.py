"""`classifyd run --once` ends, whatever the model does, and the next run takes up what was left."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.model_site import ModelSite
from verification.faults import evidence
from verification.kit.broker import Broker
from verification.kit.serving import faults

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(400)]

SETTINGS = {"CLASSIFYD_ONCE_TIMEOUT": "6s", "CLASSIFYD_MODELS__RESNET__TIMEOUT": "1s"}
"""A bound that a test can wait for: twenty times less than the default."""


@pytest.fixture
def site(tmp_path: Path, broker: Broker) -> Iterator[ModelSite]:
    """Made, and not started."""
    site = ModelSite(tmp_path / "work", broker, SETTINGS)
    try:
        yield site
    finally:
        site.daemon.__exit__(None, None, None)
        site.close()


def run_once(site: ModelSite) -> tuple[int, str]:
    """The exit code and the last lines."""
    site.daemon.launch("--once")
    return site.daemon.wait(), site.daemon.tail(4)


def test_a_picture_that_never_gets_an_answer_is_left_for_the_next_run(site: ModelSite) -> None:
    site.put(10, bad=1)
    odd = {site.drop_this(site.picture()), site.produce(1)[0].sha256}
    for sha256 in odd:
        site.server.script(faults.on_picture(sha256, faults.hang()))
    code, told = run_once(site)
    assert code == 1, told
    assert "20 classified, 2 rejected" in told
    assert "could not be handled: see the log" in told
    assert site.recorded == {one.sha256 for one in (*site.dropped, *site.produced)} - odd
    assert site.offsets_past_a_hole() == []
    (key,) = evidence.claimed_keys(site.daemon.inbox)

    site.server.heal()
    code, told = run_once(site)
    assert code == 0, told
    assert "2 classified, 0 rejected" in told
    assert "could not be handled" not in told
    assert key in {row.origin for row in evidence.rows(site.daemon.database)}
    assert site.violations() == []


def test_a_model_that_fails_on_all_and_is_then_away_leaves_all_to_the_runs_after(site: ModelSite) -> None:
    site.put(5)
    for one in (*site.dropped, *site.produced):
        site.server.script(faults.on_picture(one.sha256, faults.status(500, "internal")))
    code, told = run_once(site)
    assert code == 1, told
    assert "10 could not be handled: see the log" in told

    site.server.stop()
    site.put(5)
    code, told = run_once(site)
    assert code == 1, told
    assert "0 classified, 0 rejected" in told
    assert "20 could not be handled: see the log" in told
    assert "Connection refused" in site.daemon.tail()
    assert site.recorded == set()

    site.server.heal()
    site.server.start()
    code, told = run_once(site)
    assert code == 0, told
    assert "20 classified, 0 rejected" in told
    assert site.violations() == []
