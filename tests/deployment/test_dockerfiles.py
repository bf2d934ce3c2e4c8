"""The images are built of files that exist, run without root, and know when they are well."""

import http.server
import os
import subprocess
import sys
import threading
from fnmatch import fnmatch

import pytest

from tests.deployment.files import DOCKERFILES, ROOT, Instruction, instructions

IGNORED = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if not line.startswith("#")]


def copied(dockerfile: str) -> list[str]:
    """The sources, in the repository, of every COPY."""
    return [
        source
        for instruction in instructions(dockerfile)
        if instruction.word == "COPY" and not instruction.rest.startswith("--from")
        for source in instruction.arguments[:-1]
    ]


def only(dockerfile: str, word: str) -> Instruction:
    return [instruction for instruction in instructions(dockerfile) if instruction.word == word][-1]


@pytest.mark.parametrize("dockerfile", DOCKERFILES)
def test_what_is_copied_exists_and_is_sent_to_the_builder(dockerfile):
    for source in copied(dockerfile):
        assert (ROOT / source).exists(), source
        assert any(
            fnmatch(source, line[1:]) or source.startswith(f"{line[1:]}/")
            for line in IGNORED
            if line.startswith("!")
        ), f"{source} is left out by .dockerignore"


def test_the_builder_gets_nothing_that_is_not_named():
    assert "*" in IGNORED


def test_the_daemon_runs_as_a_user_of_its_own():
    words = [instruction.word for instruction in instructions("Dockerfile-daemon")]
    assert only("Dockerfile-daemon", "USER").rest not in ("root", "0")
    assert words.index("USER") < len(words) - words[::-1].index("CMD") - 1


def test_the_daemon_s_user_may_write_to_its_volumes_alone():
    """The package is root's, as COPY leaves it; no instruction gives it, or a right to it, away."""
    stage = instructions("Dockerfile-daemon")
    stage = stage[max(number for number, one in enumerate(stage) if one.word == "FROM") :]
    assert not [one for one in stage if "--chown" in one.rest or "--chmod" in one.rest]
    written = [one.rest for one in stage if "install -d -m 1777" in one.rest]
    volumes = only("Dockerfile-daemon", "VOLUME").arguments
    assert len(written) == 1
    assert set(written[0].partition("1777 ")[2].split()) == set(volumes)
    assert not any(path.startswith("/opt") for path in volumes)


@pytest.mark.parametrize("dockerfile", DOCKERFILES)
def test_health_is_asked_for_without_curl(dockerfile):
    check = only(dockerfile, "HEALTHCHECK").rest
    assert "curl" not in check
    assert "wget" not in check


def health_command(dockerfile: str) -> list[str]:
    rest = only(dockerfile, "HEALTHCHECK").rest
    return Instruction("CMD", rest[rest.index("CMD ") + len("CMD ") :]).arguments


@pytest.fixture
def serve():
    """Starts servers on free ports that answer every GET alike; gives the port."""
    servers = []

    def start(status: int, body: bytes, port: int = 0) -> int:
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(status)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Says nothing."""

        server = http.server.HTTPServer(("127.0.0.1", port), Handler)
        thread = threading.Thread(target=server.serve_forever, name="fake-server")
        thread.start()
        servers.append((server, thread))
        return server.server_port

    yield start
    for server, thread in servers:
        server.shutdown()
        thread.join(10)
        server.server_close()


@pytest.mark.parametrize(("status", "healthy"), [(200, True), (503, False)])
def test_the_daemon_is_healthy_when_it_is_ready(serve, status, healthy):
    port = serve(status, b"{}")
    command = [sys.executable, *health_command("Dockerfile-daemon")[1:]]
    # A proxy's variables, which containers are often given, do not lead the check astray.
    environment = os.environ | {"CLASSIFYD_HTTP__PORT": str(port), "http_proxy": "http://127.0.0.1:9"}
    ended = subprocess.run(command, env=environment, capture_output=True, timeout=30, check=False)
    assert (ended.returncode == 0) is healthy


@pytest.mark.parametrize(
    ("body", "healthy"),
    [(b'{"state": "AVAILABLE"}', True), (b'{"state": "END", "error_code": "UNAVAILABLE"}', False)],
)
def test_tensorflow_serving_is_healthy_when_the_model_is_loaded(serve, body, healthy):
    port = serve(200, body)
    *shell, script = health_command("Dockerfile-TF")
    ended = subprocess.run(
        [*shell, script.replace("8501", str(port))], capture_output=True, timeout=30, check=False
    )
    assert (ended.returncode == 0) is healthy


def test_the_settings_of_the_daemon_image_are_settings(monkeypatch, tmp_path):
    from classifyd.settings import load

    monkeypatch.chdir(tmp_path)
    given = dict(pair.split("=", 1) for pair in only("Dockerfile-daemon", "ENV").arguments)
    for name, value in given.items():
        if name.startswith("CLASSIFYD_"):
            monkeypatch.setenv(name, value)
    settings = load(None, {})
    assert settings.http.host == "0.0.0.0"
    assert str(settings.inbox.path) == "/data/inbox"
