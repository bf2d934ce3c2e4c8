"""A stand-in that serves the colour model, and a classifier that asks it; scripted servers."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from classifyd.engines.onnx import OnnxClassifier, OnnxConfig
from classifyd.engines.tfserving import TFServingClassifier, TFServingConfig
from tests.unit.engines.tfserving.scripted import Behaviour, Server
from verification.kit.colours import LABELS, write_colour_model
from verification.kit.serving import ServingStandIn


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_colour_model(tmp_path_factory.mktemp("colours"))


@pytest.fixture(scope="session")
def behind(folder: Path) -> OnnxClassifier:
    return OnnxClassifier(OnnxConfig("colours", folder, top_k=len(LABELS), threads=1))


@pytest.fixture
def server(request: pytest.FixtureRequest, behind: OnnxClassifier) -> Iterator[ServingStandIn]:
    """It speaks REST, unless a test asks for something else as its parameter."""
    kind = getattr(request, "param", ServingStandIn)
    with kind({"colours": behind}) as server:
        yield server


@pytest.fixture
def connect(server: ServingStandIn, folder: Path) -> Iterator[Callable[..., TFServingClassifier]]:
    made = []

    def connect(**options: Any) -> TFServingClassifier:
        settings = {"url": server.url, "labels": folder / "labels.txt", "timeout": 20.0} | options
        classifier = TFServingClassifier(TFServingConfig("colours", **settings))
        made.append(classifier)
        return classifier

    yield connect
    for classifier in made:
        classifier.close()


@pytest.fixture
def classifier(connect: Callable[..., TFServingClassifier]) -> TFServingClassifier:
    return connect()


@pytest.fixture
def serve() -> Iterator[Callable[[Behaviour], Server]]:
    servers: list[Server] = []

    def start(behave: Behaviour) -> Server:
        servers.append(Server(behave))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of 127.0.0.1, with its key; nobody trusts it."""
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"),
            *("-days", "2", "-subj", "/CN=classifyd", "-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", str(path), "-out", str(path.with_suffix(".crt"))),
        ],
        check=True,
        capture_output=True,
    )
    path.write_text(path.read_text() + path.with_suffix(".crt").read_text())
    return path


@pytest.fixture
def trusted(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The certificate, trusted as administrators have it trusted."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    return certificate
