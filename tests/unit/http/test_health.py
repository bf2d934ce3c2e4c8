"""`/healthz`, `/readyz`, `/metrics`."""

import pytest
from prometheus_client import REGISTRY
from prometheus_client.parser import text_string_to_metric_families

from classifyd.core.values import PartState
from classifyd.http import HttpConfig
from tests.unit.http.fakes import NOW, World

KEY = {"Authorization": "Bearer secret"}
DOWN = PartState(False, "connection refused; start the broker", NOW)


def test_a_living_daemon_says_so_even_when_it_is_not_ready():
    world = World()
    world.health.stopping = True

    assert world.get("/healthz").json() == {"alive": True}


def test_a_ready_daemon_tells_its_parts():
    response = World().get("/readyz")

    assert response.status_code == 200
    assert response.json()["parts"]["kafka"] == {
        "up": True,
        "detail": "",
        "since": "2026-01-31T12:00:00.000Z",
    }


def test_a_part_that_is_down_is_told_with_its_reason():
    world = World()
    world.health.states["kafka"] = DOWN
    response = world.get("/readyz")

    assert response.status_code == 503
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["detail"] == "kafka: connection refused; start the broker"
    assert response.json()["parts"]["kafka"]["up"] is False
    assert response.json()["parts"]["resnet"]["up"] is True


def test_a_stopping_daemon_is_not_ready():
    world = World()
    world.health.stopping = True

    assert "stopping" in world.get("/readyz").json()["detail"]


@pytest.mark.parametrize("down", [False, True])
def test_parts_are_told_only_to_those_with_the_key(down):
    world = World(HttpConfig(api_key="secret"))
    if down:
        world.health.states["kafka"] = DOWN

    without, with_key = world.get("/readyz"), world.get("/readyz", headers=KEY)

    assert without.status_code == with_key.status_code == (503 if down else 200)
    assert "kafka" not in without.text
    assert "kafka" in with_key.text


def test_metrics_are_what_prometheus_reads():
    world = World()
    world.get("/healthz")
    response = world.get("/metrics")

    assert response.headers["content-type"].startswith("text/plain; version=")
    families = {family.name: family for family in text_string_to_metric_families(response.text)}
    labels = {"method": "GET", "route": "/healthz", "code": "200"}
    assert any(sample.labels == labels for sample in families["classifyd_http_requests"].samples)


def test_metrics_are_given_as_openmetrics_where_asked():
    response = World().get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})

    assert response.headers["content-type"].startswith("application/openmetrics-text")


@pytest.mark.parametrize(
    ("method", "path", "labels"),
    [
        ("POST", "/classify/nix", {"method": "POST", "route": "/classify/{model}", "code": "404"}),
        ("GET", "/no/such/path", {"method": "GET", "route": "none", "code": "404"}),
        ("BREW", "/healthz", {"method": "other", "route": "/healthz", "code": "405"}),
    ],
)
def test_requests_are_counted_by_route_and_never_by_what_a_client_made_up(method, path, labels):
    before = REGISTRY.get_sample_value("classifyd_http_requests_total", labels) or 0

    World().request(method, path)

    assert REGISTRY.get_sample_value("classifyd_http_requests_total", labels) == before + 1
