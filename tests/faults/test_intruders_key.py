"""Without the API key nothing is shown and nothing is done; and the key is written nowhere."""

import itertools

import pytest

from classifyd.http import HttpConfig
from tests.faults.wire import Answer, ask, head
from tests.unit.http.fakes import World
from verification.kit.daemon import DaemonProcess
from verification.kit.pictures import jpeg

pytestmark = pytest.mark.timeout(240)

KEY = "schlüssel-0b5e7c1d"
WRONG = "geraten-77aa"
SHOWN = f"Authorization: Bearer {KEY}"
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PURGE"]
OPEN = {"/healthz", "/readyz"}
ULID = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
UNKNOWN = [
    "/nothing",
    "//healthz",
    "/healthz/",
    "/healthz/../results",
    "/healthz%2F..%2Fresults",
    "/readyz;/../metrics",
    "/docs/assets/../../metrics",
    "/HEALTHZ",
    "http://localhost/results",
    "*",
]
GUESSES = [
    [],
    ["Authorization:"],
    ["Authorization: Bearer"],
    [f"Authorization: Bearer {WRONG}"],
    [f"Authorization: Bearer {KEY}x"],
    [f"Authorization: Bearer {KEY[:-1]}"],
    [f"Authorization: Basic {KEY}"],
    [f"Authorization: {KEY}"],
    [f"Authorization: Bearer {WRONG}", SHOWN],
    [f"X-Api-Key: {KEY}"],
    [f"Cookie: Authorization=Bearer {KEY}"],
    [f"Proxy-Authorization: Bearer {KEY}"],
    [b"Authorization: Bearer \xff\xfe"],
    [b"Authorization: Bearer " + KEY.encode("latin-1")],
]


def routes() -> list[str]:
    """One path for every route that the application has, those of the framework and the mounts among them."""
    paths = []
    for route in World(HttpConfig(api_key=KEY)).app.application.routes:
        path = str(getattr(route, "path", "")).replace("{model}", "resnet").replace("{id}", ULID)
        mounted = not hasattr(route, "methods")
        paths.append(f"{path}/swagger-ui.css" if mounted else path)
    return paths


@pytest.fixture(scope="module")
def daemon(tmp_path_factory):
    settings = {"CLASSIFYD_HTTP__API_KEY": KEY, "CLASSIFYD_LOG__LEVEL": "debug"}
    with DaemonProcess(tmp_path_factory.mktemp("key"), settings) as running:
        yield running


def send(daemon: DaemonProcess, method: str, path: str, *lines: str | bytes) -> Answer:
    return ask(daemon, head(method, path, "Connection: close", "Content-Length: 0", *lines), method)


def test_the_walk_meets_every_route():
    assert {"/docs", "/openapi.json", "/metrics", "/results", f"/results/{ULID}", *OPEN} <= set(routes())
    assert "/docs/assets/swagger-ui.css" in routes()
    assert "/classify/resnet" in routes()


def test_every_route_but_the_two_of_health_needs_the_key(daemon):
    closed = [path for path in routes() if path not in OPEN] + UNKNOWN
    for path, method in itertools.product(closed, METHODS):
        answer = send(daemon, method, path)
        if method == "CONNECT" and answer.status == 400:
            continue  # no target that CONNECT may have (RFC 9112, section 3.2.3)
        assert answer.status == 401, (method, path, answer)
        assert answer.headers["www-authenticate"] == "Bearer"
        assert method == "HEAD" or answer.is_problem, (method, path, answer)
    assert not daemon.rows()


@pytest.mark.parametrize("path", ["/results", "/docs", "/classify/resnet"])
def test_no_other_header_opens(daemon, path):
    for guess in GUESSES:
        answer = send(daemon, "POST" if path.startswith("/classify") else "GET", path, *guess)
        assert answer.status == 401, guess


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_the_key_opens_every_route(daemon, scheme):
    for path in routes():
        answer = send(daemon, "GET", path, f"authorization: {scheme} {KEY}")
        assert answer.status in (200, 404, 405), (path, answer)
    picture = jpeg("red")
    request = head("POST", "/classify/resnet", SHOWN, f"Content-Length: {len(picture)}") + picture
    assert ask(daemon, request).document.keys() == {"classes"}


def test_health_is_open_and_tells_no_detail_without_the_key(daemon):
    assert send(daemon, "GET", "/healthz").document == {"alive": True}
    assert send(daemon, "GET", "http://localhost/healthz").document == {"alive": True}
    assert send(daemon, "GET", "/readyz").document == {"ready": True}
    assert send(daemon, "GET", "/readyz", SHOWN).document["parts"].keys() >= {"folder", "model:resnet"}
    for path, method in itertools.product(OPEN, METHODS):
        answer = send(daemon, method, path)
        assert b"resnet" not in answer.body


def test_a_reason_for_not_being_ready_is_told_to_the_key_alone(tmp_path):
    # Port 9 (discard): no TensorFlow Serving is there.
    settings = {
        "CLASSIFYD_HTTP__API_KEY": KEY,
        "CLASSIFYD_MODELS__RESNET__ENGINE": "tfserving",
        "CLASSIFYD_MODELS__RESNET__URL": "http://127.0.0.1:9",
    }
    daemon = DaemonProcess(tmp_path, settings)
    daemon.launch()
    try:
        daemon.wait_until(lambda: daemon.get("/readyz")[0] == 503, 60, "away from its model")
        told = send(daemon, "GET", "/readyz")
        assert told.status == 503
        assert told.is_problem
        assert told.document.keys() == {"type", "title", "status", "detail"}
        assert "127.0.0.1:9" not in told.body.decode()
        assert "127.0.0.1:9" in send(daemon, "GET", "/readyz", SHOWN).body.decode()
    finally:
        daemon.kill()


def test_the_key_is_written_nowhere(daemon):
    answers = [send(daemon, "GET", path, SHOWN) for path in [*routes(), *UNKNOWN]]
    answers += [
        send(daemon, "GET", f"/results?name={ULID}&limit=x", guess) for guess in (SHOWN, "Accept: */*")
    ]
    broken = b"GET /results HTTP/1.1\r\nHost: localhost\r\n" + SHOWN.encode() + b"\x00\r\n\r\n"
    answers.append(ask(daemon, broken))
    shown = [daemon.command("config", "show"), daemon.command("check"), daemon.command("results", "list")]

    log = daemon.log.read_text()
    assert '"request answered"' in log
    for text in [
        log,
        *(f"{answer.headers}{answer.body!r}" for answer in answers),
        *(told.stdout + told.stderr for told in shown),
    ]:
        assert "0b5e7c1d" not in text
        assert WRONG not in text
    assert "api_key" in shown[0].stdout
