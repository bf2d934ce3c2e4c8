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


def test_the_key_is_compared_in_constant_time(world, monkeypatch):
    """Timing is not measured: noise would decide. Every key that is shown goes through this one function."""
    compared = []
    monkeypatch.setattr(
        "classifyd.http.access.hmac.compare_digest", lambda *both: compared.append(both) or both[0] == both[1]
    )
    for shown in ("Bearer s", "Bearer wrong", "Bearer sécret"):
        world.get("/results", headers={"Authorization": shown.encode()})
    expected = "sécret".encode()
    assert compared == [(b"s", expected), (b"wrong", expected), (expected, expected)]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.0.0.2"])
def test_a_rebound_name_is_refused_where_the_daemon_listens_for_this_machine_alone(host):
    response = World(HttpConfig(host=host)).get("/results", headers={"Host": "evil.example"})
    assert response.status_code == 403
    assert "evil.example" in response.json()["detail"]


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "pictures.example"])
def test_any_name_will_do_where_the_daemon_listens_for_others(host):
    assert World(HttpConfig(host=host)).get("/results", headers={"Host": "proxy.example"}).status_code == 200


def test_with_a_key_names_and_origins_do_not_matter(world):
    headers = {
        "Authorization": "Bearer sécret".encode(),
        "Host": "proxy.example",
        "Origin": "https://other.example",
    }
    assert world.post("/classify/resnet", content=jpeg(), headers=headers).status_code == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://localhost:1"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "http://localhost"}, 200),
        ({"Origin": "http://localhost"}, 200),
        ({"Sec-Fetch-Site": "none"}, 200),
        ({}, 200),
    ],
)
def test_a_page_of_another_origin_classifies_nothing(headers, status):
    assert World().post("/classify/resnet", content=jpeg(), headers=headers).status_code == status
