"""`GET /results`: filters, paging, one result."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from ulid import ULID

from classifyd.core.documents import document
from classifyd.core.values import (
    Delivery,
    Filter,
    Image,
    Origin,
    Reason,
    Rejected,
    Result,
    Source,
    Status,
)
from tests.unit.http.fakes import NOW, PREDICTION, World, recorded


def some(count) -> list[Result]:
    made = []
    for number in range(count):
        origin = Origin(Source.HTTP, f"http:{number}", "50% é&.jpg")
        image = Image(origin, b"", "0" * 64, 9, 8, 8, NOW)
        outcome = PREDICTION if number % 2 else Rejected(Reason.TRUNCATED, "Cut off.")
        made.append(
            replace(recorded(Delivery(image, print), outcome), id=str(ULID.from_timestamp(1e9 + number)))
        )
    return made


def test_results_come_newest_first_as_their_documents():
    results = some(3)

    body = World(results=results).get("/results").json()

    assert body == {"results": [document(result) for result in reversed(results)], "next": None}


def test_pages_follow_one_another_until_all_is_seen():
    world = World(results=some(7))
    seen, address = [], "/results?limit=3&label=a%26b"

    while address is not None:
        response = world.get(address)
        page = response.json()
        seen += [result["id"] for result in page["results"]]
        assert len(page["results"]) <= 3
        assert world.results.wanted.label == "a&b"
        if (address := page["next"]) is not None:
            assert response.headers["Link"] == f'<{address}>; rel="next"'

    assert seen == [result.id for result in world.results.results]
    assert "Link" not in response.headers


def test_a_last_page_that_is_full_has_no_next():
    assert World(results=some(3)).get("/results?limit=3").json()["next"] is None


def test_filters_reach_the_store():
    world = World()
    world.get(
        "/results",
        params={
            "label": "cat",
            "status": "rejected",
            "source": "folder",
            "name": "a b.jpg",
            "sha256": "f" * 64,
            "since": "2026-01-31T13:00:00+01:00",
            "until": "2026-02-01T00:00:00.500Z",
        },
    )

    assert world.results.wanted == Filter(
        label="cat",
        status=Status.REJECTED,
        source=Source.FOLDER,
        name="a b.jpg",
        sha256="f" * 64,
        since=NOW,
        until=datetime(2026, 2, 1, 0, 0, 0, 500_000, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("status", "done"),
        ("source", "ftp"),
        ("sha256", "abc"),
        ("since", "yesterday"),
        ("since", "2026-01-31T12:00:00"),
        ("until", "0001-01-01T00:00:00+23:00"),
        ("until", "1e9"),
        ("until", "1000000000"),
        ("limit", "0"),
        ("limit", "1001"),
        ("cursor", "nonsense"),
        ("cursor", "ä"),
        ("cursor", "!"),
    ],
)
def test_a_senseless_parameter_is_named(parameter, value):
    response = World().get("/results", params={parameter: value})

    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"
    assert f"query {parameter}" in response.json()["detail"]


def test_one_result_is_shown():
    results = some(2)

    response = World(results=results).get(f"/results/{results[1].id}")

    assert response.json() == document(results[1])


def test_an_unknown_result_is_not_found():
    response = World().get(f"/results/{ULID()}")

    assert response.status_code == 404
    assert response.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("path", ["/results", f"/results/{ULID()}"])
def test_a_database_that_cannot_be_read_is_told(path):
    world = World()
    world.results.broken = True
    response = world.get(path)

    assert response.status_code == 503
    assert "the disk is gone" in response.json()["detail"]
    assert int(response.headers["Retry-After"]) > 0
