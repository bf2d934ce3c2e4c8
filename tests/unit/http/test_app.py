"""What holds for all routes: problems, the description, and documentation that needs no internet."""

import re

import pytest

from classifyd.core.values import Delivery
from classifyd.http import HttpConfig
from tests.unit.http.fakes import World

ROUTES = {
    "/classify/{model}": {"post"},
    "/classify": {"get"},
    "/results": {"get"},
    "/results/{id}": {"get"},
    "/healthz": {"get"},
    "/readyz": {"get"},
    "/metrics": {"get"},
}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/nix", 404), ("DELETE", "/results", 405), ("PUT", "/healthz", 405)],
)
def test_the_frameworks_errors_are_problems_too(method, path, status):
    response = World().request(method, path)

    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["status"] == status
    if status == 405:
        assert response.headers["Allow"] == "GET"


def test_a_failure_is_a_problem_that_tells_nothing_of_the_inside():
    def fail(_delivery: Delivery):
        raise RuntimeError("password 1234")

    response = World(settlement=fail).post("/classify/resnet", content=b"\xff\xd8")
    assert response.status_code == 400

    world = World()
    world.results.page = None
    response = world.get("/results")

    assert response.status_code == 500
    assert response.headers["content-type"] == "application/problem+json"
    assert "NoneType" not in response.text


def test_every_route_and_every_error_is_described():
    description = World().get("/openapi.json").json()

    assert {path: set(operations) for path, operations in description["paths"].items()} == ROUTES
    for operations in description["paths"].values():
        for operation in operations.values():
            for status, response in operation["responses"].items():
                if int(status) >= 400:
                    assert list(response["content"]) == ["application/problem+json"]
    for name in re.findall(r"#/components/schemas/(\w+)", str(description)):
        assert name in description["components"]["schemas"]


def test_the_key_is_described_where_there_is_one():
    world = World(HttpConfig(api_key="secret"))
    description = world.get("/openapi.json", headers={"Authorization": "Bearer secret"}).json()

    assert description["security"] == [{"key": []}]
    assert "401" in description["paths"]["/results"]["get"]["responses"]
    assert description["paths"]["/healthz"]["get"]["security"] == []
    assert "401" not in description["paths"]["/healthz"]["get"]["responses"]


def test_the_documentation_needs_no_internet():
    world = World()
    page = world.get("/docs").text

    addresses = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert len(addresses) >= 2
    for address in addresses:
        assert address.startswith("/docs/assets/")
        assert world.get(address).status_code == 200
    assert "https://" not in page
