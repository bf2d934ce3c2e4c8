"""Outages of the model server, end to end: one real daemon with folder, topic and HTTP outlives them all.

The model server is a stand-in that speaks TensorFlow Serving's protocol, with faults to order. In each outage
pictures of all three sources are with the model when it begins; more come while it lasts and after it.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from tests.faults.model_site import BOUND, CLASSES, MODEL, Asked, Crash, ModelSite
from verification.kit.broker import Broker
from verification.kit.serving import faults
from verification.kit.serving.faults import Fault

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(400)]

EVERYTHING = ("predict", "status", "metadata")


@pytest.fixture(scope="module")
def shared_site(tmp_path_factory: pytest.TempPathFactory, broker: Broker) -> Iterator[ModelSite]:
    site = ModelSite(tmp_path_factory.mktemp("model") / "work", broker)
    try:
        with site:
            yield site
            assert site.daemon.stop() == 0
    finally:
        site.close()


@pytest.fixture
def site(shared_site: ModelSite) -> Iterator[ModelSite]:
    """The daemon that outlives all outages, with a sound server before and after each test."""
    yield shared_site
    shared_site.valve.open()
    shared_site.server.heal()
    shared_site.server.servables.max_batch = None


@dataclass(frozen=True)
class Outage:
    """What befalls the server, how it ends, and the words by which `/readyz` tells of it."""

    name: str
    told: str
    begin: Callable[[ModelSite], None]
    end: Callable[[ModelSite], None] = lambda site: site.server.heal()


def scripted(name: str, told: str, fault: Fault, *kinds: str) -> Outage:
    def begin(site: ModelSite) -> None:
        for kind in kinds or ("predict",):
            site.server.script(fault, kind=kind)

    return Outage(name, told, begin)


def set_state(state: str) -> Callable[[ModelSite], None]:
    return lambda site: site.server.servables.set_state("resnet", site.version, state)


OUTAGES = [
    Outage(
        "it refuses connections",
        "Connection refused",
        lambda site: site.server.stop(),
        lambda site: site.server.start(),
    ),
    scripted("it accepts and hangs", "did not answer in time", faults.hang(), *EVERYTHING),
    scripted("it resets connections", "cannot be reached", faults.reset(), *EVERYTHING),
    scripted("it resets in the middle of answers", "cannot be reached", faults.reset(after=150), *EVERYTHING),
    scripted("it answers 500", "answered 500: broken", faults.status(500, "broken")),
    scripted("it answers 503", "answered 503: overloaded", faults.status(503, "overloaded"), *EVERYTHING),
    scripted("it answers 429", "answered 429: too many", faults.status(429, "too many", Retry_After="1")),
    Outage("its model is not loaded", "is not served by", set_state("LOADING"), set_state("AVAILABLE")),
    scripted("it answers NaN", "no probabilities", faults.not_a_number(0)),
    scripted("it answers for one picture less", "gave 0 predictions for 1", faults.wrong_count(-1)),
    scripted("it answers for one picture more", "gave 2 predictions for 1", faults.wrong_count(1)),
    scripted("it answers byte by byte", "did not answer in time", faults.drip(0.05), *EVERYTHING),
    scripted("it answers with a page", "check `url`", faults.page(), *EVERYTHING),
    scripted(
        "its signature changed: everything gets 400",
        "does not accept even a valid control picture",
        faults.status(400, 'Serving signature name: "serving_default" not found in signature def'),
    ),
    Outage(
        "another version has other classes",
        "labels",
        lambda site: site.load(site.version + 1, classes=CLASSES - 3),
        lambda site: site.server.servables.unload("resnet", site.version + 1),
    ),
]


def put_off(asked: Asked) -> bool:
    """Whether a request was told to come again."""
    return asked.status == 503 and asked.retry_after is not None


def answered_or_put_off(requests: list[Future[Asked]]) -> bool:
    return all(asked.status == 200 or put_off(asked) for asked in (one.result(BOUND) for one in requests))


@contextmanager
def lasting(site: ModelSite, outage: Outage) -> Iterator[None]:
    """An outage that begins with pictures under way."""
    with site.under_way(pictures=30) as requests:
        outage.begin(site)
    try:
        assert answered_or_put_off(requests)
        yield
    finally:
        outage.end(site)


def hashes(site: ModelSite) -> set[str]:
    """Of all that was put into inbox and topic."""
    return {one.sha256 for one in (*site.dropped, *site.produced)}


@pytest.mark.parametrize("outage", OUTAGES, ids=lambda outage: outage.name)
def test_an_outage_rejects_nothing_and_loses_nothing(site: ModelSite, outage: Outage, recovery) -> None:
    with lasting(site, outage):
        site.daemon.wait_until_told(MODEL, outage.told)
        before = hashes(site)
        site.put(5, bad=1)
        assert put_off(site.ask_for(site.picture()))
        assert site.offsets_past_a_hole() == []
        site.daemon.wait_until_told(MODEL, outage.told)
        assert not site.recorded & (hashes(site) - before)
    recovered = recovery(f"model server: {outage.name}")
    site.put(5)
    site.wait_until_whole()
    recovered()
    assert site.ask_for(site.picture()).status == 200
    assert site.violations() == []


def test_a_version_that_takes_the_others_place_under_load(site: ModelSite, recovery) -> None:
    for _ in range(3):
        with site.under_way(pictures=60) as requests:
            site.load(site.version + 1)
            site.server.servables.unload("resnet", site.version)
            site.version += 1
        recovered = recovery("model server: another version took the place of the last under load")
        site.put(10, bad=1)
        assert answered_or_put_off(requests)
        site.wait_until_whole()
        recovered()
    assert site.ask_for(site.picture()).status == 200
    assert site.violations() == []
    newest = site.daemon.rows("SELECT model_version FROM results ORDER BY id DESC LIMIT 1")
    assert newest == [{"model_version": str(site.version)}]


def test_a_server_that_takes_smaller_batches_than_ours_is_no_outage_and_they_are_learnt(
    site: ModelSite,
) -> None:
    site.server.servables.max_batch = 3
    site.server.requests.clear()
    site.put(60)
    assert site.ask_for(site.picture()).status == 200
    site.wait_until_whole()
    assert largest_batch(site) > 3
    site.server.requests.clear()
    site.put(40, bad=2)
    site.wait_until_whole()
    assert largest_batch(site) <= 3
    assert site.violations() == []


def largest_batch(site: ModelSite) -> int:
    """Of those that were asked for since the requests were last forgotten."""
    return max(len(request.pictures) for request in site.server.requests)


def all_but(site: ModelSite, aside: set[str]) -> Callable[[], bool]:
    """Whether everything is recorded but these pictures."""

    def recorded() -> bool:
        return hashes(site) - aside <= site.recorded

    return recorded


@pytest.mark.parametrize(
    ("name", "fault"),
    [("gets 500", faults.status(500, "internal")), ("gets no answer", faults.hang())],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_picture_that_alone_fails_waits_while_all_others_pass(
    site: ModelSite, name: str, fault: Fault, recovery
) -> None:
    with site.under_way(pictures=30) as requests:
        heavy = site.picture()
        aside = {site.drop_this(heavy), site.produce(1)[0].sha256}
        for sha256 in aside:
            site.server.script(faults.on_picture(sha256, fault))
    site.put(20, bad=1)
    site.daemon.wait_until(all_but(site, aside), BOUND, "done with all others")
    assert answered_or_put_off(requests)
    site.daemon.wait_until(
        lambda: site.detail().endswith("set aside and tried again: 2 (see the log)"), BOUND, "telling of them"
    )
    site.daemon.wait_until_ready()
    assert site.suspects() == 2
    assert put_off(site.ask_for(heavy))
    assert site.ask_for(site.picture()).status == 200
    assert not site.recorded & aside
    assert site.offsets_past_a_hole() == []

    site.server.heal()
    recovered = recovery(f"model server: one picture {name}, alone")
    site.wait_until_whole()
    recovered()
    assert site.suspects() == 0
    assert site.violations() == []


def test_pictures_that_take_the_server_down_keep_no_other_from_it(site: ModelSite, recovery) -> None:
    """Two of them, as many as workers: were they asked for first again, no other would be."""
    crash = Crash(site.server, away=0.5)
    with site.under_way(pictures=30):
        aside = {site.drop_this(site.picture()), site.produce(1)[0].sha256}
        for sha256 in aside:
            site.server.script(faults.on_picture(sha256, crash))
    site.put(20, bad=1)
    site.daemon.wait_until(all_but(site, aside), BOUND, "done with all others")
    assert crash.count >= 2
    assert not site.recorded & aside

    site.server.heal()
    crash.over()
    recovered = recovery("model server: two pictures take it down")
    site.wait_until_whole()
    recovered()
    assert site.violations() == []
