"""The key: asked for everywhere but where a watchdog looks."""

import pytest

from classifyd.http import HttpConfig
from tests.unit.http.fakes import World, jpeg

PATHS = ["/classify", "/results", "/metrics", "/docs", "/docs/assets/swagger-ui.css", "/openapi.json", "/nix"]


@pytest.fixture
def world():
    return World(HttpConfig(api_key="sécret"))


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("shown", [None, "", "Bearer", "Bearer wrong", "Basic sécret", "sécret"], ids=str)
def test_without_the_key_nothing_is_shown(world, path, shown):
    response = world.get(path, headers={} if shown is None else {"Authorization": shown.encode()})

    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == "Bearer"
    assert response.headers["content-type"] == "application/problem+json"


def test_without_the_key_nothing_is_classified(world):
    assert world.post("/classify/resnet", content=jpeg()).status_code == 401
    assert not world.inlet.deliveries


@pytest.mark.parametrize("shown", ["Bearer sécret", "bearer  sécret"])
def test_with_the_key_all_is_shown(world, shown):
    headers = {"Authorization": shown.encode()}

    assert [world.get(path, headers=headers).status_code for path in PATHS] == [200] * 6 + [404]
    assert world.post("/classify/resnet", content=jpeg(), headers=headers).status_code == 200


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_health_is_open(world, path):
    assert world.get(path).status_code == 200


def test_the_key_stands_in_no_text():
    assert "secret" not in repr(HttpConfig(api_key="secret"))
