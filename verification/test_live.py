"""A running daemon, asked as a stranger would: nothing is known of it but its address."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from verification.kit.client import Daemon
from verification.kit.pictures import jpeg

HERE = Path(__file__).parent
SAMPLES = HERE / "test_data"
EXPECTED = tomllib.loads((HERE / "expected.toml").read_text("utf-8"))
PHOTOGRAPHS = [name for name, expected in EXPECTED.items() if "rejected" not in expected]
NOT_JPEGS = {name: expected["rejected"] for name, expected in EXPECTED.items() if "rejected" in expected}
PNG = b"\x89PNG\r\n\x1a\n" + bytes(64)

# Which answers of expected.toml hold for a model of so many classes.
ANSWERS = {10: "bundled", 1001: "official"}


def sample(name: str) -> bytes:
    """A file of `make samples`."""
    path = SAMPLES / name
    if not path.is_file():
        pytest.skip(f"{name} is missing: make samples")
    return path.read_bytes()


@pytest.fixture(scope="session")
def model(daemon: Daemon) -> dict[str, Any]:
    """The model named resnet, or else the first."""
    models: list[dict[str, Any]] = daemon.get("/classify").json()["models"]
    return next((model for model in models if model["name"] == "resnet"), models[0])


@pytest.fixture(scope="session")
def route(model: dict[str, Any]) -> str:
    return f"/classify/{model['name']}"


def problem(answer: Any, status: int) -> dict[str, Any]:
    """The problem document of a refusal with this status."""
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"].split(";")[0] == "application/problem+json"
    document: dict[str, Any] = answer.json()
    assert document["status"] == status
    assert document["title"]
    assert document["detail"]
    return document


def test_the_model_is_there(model: dict[str, Any]) -> None:
    assert model["state"] == "ready"
    assert model["classes"] > 1
    assert model["version"]


@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_a_photograph_gets_its_class(daemon: Daemon, model: dict[str, Any], route: str, name: str) -> None:
    answer = daemon.post(route, files={"image": sample(name)})
    assert answer.status_code == 200, answer.text
    document = answer.json()
    assert list(document) == ["classes"]
    assert 0 <= document["classes"] < model["classes"]
    known = EXPECTED[name].get(ANSWERS.get(model["classes"], ""))
    if known is not None:
        assert document["classes"] in (known if isinstance(known, list) else [known])


def test_form_and_body_are_the_same_picture(daemon: Daemon, route: str) -> None:
    data = jpeg("teal", (300, 200))
    form = daemon.post(route, files={"image": ("teal.jpg", data, "image/jpeg")})
    body = daemon.post(route, data=data, headers={"Content-Type": "image/jpeg"})
    assert form.status_code == body.status_code == 200
    assert form.json() == body.json()


def test_the_long_answer_says_more(daemon: Daemon, model: dict[str, Any], route: str) -> None:
    document = daemon.post(route, params={"top": 3}, files={"image": jpeg("navy")}).json()
    assert {"classes", "label", "confidence", "top", "model", "model_version", "id"} <= set(document)
    assert document["model"] == model["name"]
    best, *others = document["top"]
    assert len(others) == 2
    assert best["class_index"] == document["classes"]
    assert best["label"] == document["label"]
    assert best["probability"] == document["confidence"]
    assert all(other["probability"] <= best["probability"] for other in others)


def test_what_was_answered_is_recorded(daemon: Daemon, route: str) -> None:
    told = daemon.post(route, params={"top": 1}, files={"image": jpeg("maroon")}).json()
    recorded = daemon.get(f"/results/{told['id']}").json()
    assert recorded["status"] == "classified"
    assert recorded["source"] == "http"
    assert recorded["label"] == told["label"]
    assert told["id"] in [result["id"] for result in daemon.get("/results").json()["results"]]


@pytest.mark.parametrize("name", NOT_JPEGS)
def test_a_sample_that_is_no_jpeg_is_refused(daemon: Daemon, route: str, name: str) -> None:
    problem(daemon.post(route, files={"image": sample(name)}), 400)


@pytest.mark.parametrize(
    "data",
    [PNG, b"GIF89a" + bytes(32), b"hello", b"", jpeg("red")[:-2]],
    ids=["PNG", "GIF", "text", "empty", "without an end"],
)
def test_what_is_no_jpeg_is_refused_with_a_reason(daemon: Daemon, route: str, data: bytes) -> None:
    problem(daemon.post(route, files={"image": ("cat.jpg", data, "image/jpeg")}), 400)
    problem(daemon.post(route, data=data, headers={"Content-Type": "image/jpeg"}), 400)


def test_a_missing_picture_is_refused(daemon: Daemon, route: str) -> None:
    problem(daemon.post(route), 400)
    problem(daemon.post(route, files={"photo": jpeg("red")}), 400)


def test_get_is_not_how_pictures_are_sent(daemon: Daemon, route: str) -> None:
    answer = daemon.get(route)
    problem(answer, 405)
    assert answer.headers["Allow"] == "POST"


def test_an_unknown_model_is_not_found(daemon: Daemon) -> None:
    problem(daemon.post("/classify/nosuchmodel", files={"image": jpeg("red")}), 404)


def test_it_is_alive_and_ready(daemon: Daemon) -> None:
    assert daemon.get("/healthz").json() == {"alive": True}
    assert daemon.get("/readyz").json()["ready"] is True


def test_metrics_count_what_was_classified(daemon: Daemon, model: dict[str, Any], route: str) -> None:
    def classified() -> float:
        lines = daemon.get("/metrics").text.splitlines()
        labels = ('source="http"', f'model="{model["name"]}"', 'status="classified"')
        return sum(
            float(line.rpartition(" ")[2])
            for line in lines
            if line.startswith("classifyd_pictures_total{") and all(label in line for label in labels)
        )

    before = classified()
    daemon.post(route, files={"image": jpeg("olive")}).raise_for_status()
    assert classified() > before


def test_the_documentation_is_served(daemon: Daemon) -> None:
    assert daemon.get("/docs").status_code == 200
    assert "/classify/{model}" in daemon.get("/openapi.json").json()["paths"]
