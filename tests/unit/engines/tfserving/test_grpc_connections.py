"""gRPC to servers that break, hang, are encrypted, or are not there; and what is no address for it."""

import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from classifyd.core.errors import ConfigurationError, Failed, Refused, Unavailable
from classifyd.engines.onnx import OnnxClassifier
from classifyd.engines.tfserving import TFServingClassifier, TFServingConfig
from classifyd.engines.tfserving import over_grpc as module
from tests.unit.engines.tfserving import http2
from tests.unit.engines.tfserving.asking import RED, Connect, labels_of, over_grpc
from tests.unit.engines.tfserving.scripted import PATIENCE, Behaviour, Server
from verification.kit.serving import ServingStandIn, faults
from verification.kit.serving.over_grpc import GrpcStandIn

SHORT = 0.4  # seconds: long enough for the stand-in, short enough to wait for
Serve = Callable[[Behaviour], Server]


@over_grpc
def test_a_server_that_is_gone_is_away_and_found_again_at_once(
    classifier: TFServingClassifier, server: ServingStandIn
) -> None:
    assert labels_of(classifier) == ["red", "green"]
    server.stop()
    for _ in range(3):
        with pytest.raises(Unavailable, match=r"cannot be reached: .*refused"):
            classifier.classify([RED])
    server.start()
    assert labels_of(classifier) == ["red", "green"]


@over_grpc
def test_a_connection_is_kept(classifier: TFServingClassifier, server: ServingStandIn) -> None:
    for _ in range(3):
        assert labels_of(classifier) == ["red", "green"]
    for code in (400, 404, 429, 500):
        server.script(faults.status(code, "no"), times=2)
        with pytest.raises((Unavailable, Refused, Failed)):
            classifier.classify([RED])
        server.heal()
    assert labels_of(classifier) == ["red", "green"]
    assert server.connections == 1


@over_grpc
def test_an_answer_that_the_connection_may_have_caused_is_not_waited_for_on_it_again(
    classifier: TFServingClassifier, server: ServingStandIn
) -> None:
    assert labels_of(classifier) == ["red", "green"]
    server.script(faults.status(503, "no healthy upstream"), times=1)
    with pytest.raises(Unavailable, match="no healthy upstream"):
        classifier.classify([RED])
    assert labels_of(classifier) == ["red", "green"]
    assert server.connections == 2


@over_grpc
@pytest.mark.parametrize("kind", ["predict", "status", "metadata"])
def test_a_server_that_hangs_is_given_up_at_the_deadline_and_asked_on_another_connection(
    connect: Connect, server: ServingStandIn, kind: str
) -> None:
    classifier = connect(timeout=SHORT)
    server.script(faults.hang(), kind=kind, times=1)
    with pytest.raises(Unavailable, match="did not answer in time"):
        classifier.classify([RED])
    assert labels_of(connect()) == ["red", "green"]
    before = server.connections
    assert classifier.probe().version == "1"
    assert server.connections == before + 1


@pytest.mark.parametrize(
    ("behave", "told"),
    [
        (lambda connection: connection.recv(65536), "cannot be reached"),
        (lambda connection: connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "with http://"),
        (http2.replying(b""), "did not answer in time"),
    ],
    ids=["closed", "HTTP/1.1", "no answer"],
)
def test_a_server_that_is_none_is_away(serve: Serve, connect: Connect, behave: Behaviour, told: str) -> None:
    with pytest.raises(Unavailable, match=told):
        connect(url=http2.url(serve(behave)), timeout=SHORT).probe()


def test_the_port_of_rest_is_told(connect: Connect, server: ServingStandIn) -> None:
    with pytest.raises(Unavailable, match=r"no gRPC .*REST is asked for with http://; check `url`"):
        connect(url=server.url.replace("http:", "grpc:")).probe()


@over_grpc
def test_the_port_of_grpc_is_told(connect: Connect, server: ServingStandIn) -> None:
    with pytest.raises(Unavailable, match="gRPC is asked for with grpc://; check `url`") as raised:
        connect(url=server.url.replace("grpc:", "http:")).probe()
    assert str(raised.value).isprintable()


def test_a_server_that_says_nothing_at_all_is_given_up_at_the_deadline(
    serve: Serve, connect: Connect
) -> None:
    given_up = threading.Event()
    server = serve(lambda _connection: given_up.wait(PATIENCE))
    with pytest.raises(Unavailable, match="did not answer in time"):
        connect(url=http2.url(server), timeout=SHORT).probe()
    given_up.set()


@over_grpc
def test_an_endless_answer_is_not_kept_in_memory(
    connect: Connect, server: ServingStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_OPTIONS", (("grpc.max_receive_message_length", 2000),))
    classifier = connect()
    assert labels_of(classifier) == ["red", "green"]
    server.script(faults.body(b"\0" * 2001))
    with pytest.raises(Unavailable, match="its answer has more than"):
        classifier.classify([RED])
    server.heal()
    assert labels_of(classifier) == ["red", "green"]


def test_a_name_that_nobody_knows_is_an_outage(connect: Connect) -> None:
    with pytest.raises(Unavailable, match=r"model\.invalid"):
        connect(url="grpc://model.invalid:8500").probe()


@over_grpc
def test_the_environments_proxy_is_ignored(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("grpc_proxy", "https_proxy", "http_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.setenv("no_proxy", "")
    assert labels_of(connect()) == ["red", "green"]


@over_grpc
def test_threads_share_it(classifier: TFServingClassifier, server: ServingStandIn) -> None:
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(lambda _: labels_of(classifier), range(12), timeout=60))
    assert answers == [["red", "green"]] * 12
    assert server.connections <= 4


def test_an_encrypted_server_is_asked_if_its_certificate_is_trusted(
    connect: Connect, behind: OnnxClassifier, trusted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with GrpcStandIn({"colours": behind}, certificate=trusted.read_bytes()) as server:
        assert labels_of(connect(url=server.url)) == ["red", "green"]
        with pytest.raises(Unavailable, match="cannot be reached"):
            connect(url=server.url.replace("grpcs:", "grpc:")).probe()
        monkeypatch.delenv("SSL_CERT_FILE")
        with pytest.raises(Unavailable, match=r"cannot be reached: .*(?i:certificate)"):
            connect(url=server.url).probe()


def test_authorities_of_the_systems_folder_are_trusted(
    connect: Connect,
    behind: OnnxClassifier,
    certificate: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where there is no file with all of them, as in Debian's OpenSSL."""
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    asked = ("openssl", "x509", "-in", str(certificate), "-noout", "-subject_hash")
    name = subprocess.run(asked, check=True, capture_output=True, text=True).stdout.strip()
    (tmp_path / f"{name}.0").write_bytes(certificate.read_bytes())
    (tmp_path / "00000000.0").mkdir()  # cannot be read
    with GrpcStandIn({"colours": behind}, certificate=certificate.read_bytes()) as server:
        assert labels_of(connect(url=server.url)) == ["red", "green"]


@over_grpc
@pytest.mark.parametrize("address", ["grpc://localhost:{port}", "grpc://LOCALHOST:{port}/"])
def test_the_address_may_be_written_in_several_ways(
    connect: Connect, server: ServingStandIn, address: str
) -> None:
    port = server.url.rpartition(":")[2]
    assert connect(url=address.format(port=port)).probe().version == "1"


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("grpc://model", "dns:///model:8500"),
        ("grpc://[::1]:85", "dns:///[::1]:85"),
        ("grpc://bücher.example", "dns:///xn--bcher-kva.example:8500"),
    ],
)
def test_an_address_is_looked_up_by_name(url: str, target: str) -> None:
    assert module.GrpcTransport(url, "m")._target == target


@pytest.mark.parametrize(
    "url",
    [
        "grpc://",
        "grpc://me:s3cret@host:8500",
        "grpc://host:8500/v1",
        "grpc://host?x=1",
        "grpc://host:99999",
        "grpc://a..b",
        "grpc://[::1",
    ],
)
def test_what_is_no_address_refuses_the_start(url: str) -> None:
    with pytest.raises(ConfigurationError, match="grpc://HOST:8500") as raised:
        TFServingClassifier(TFServingConfig("m", url))
    assert "s3cret" not in str(raised.value)


def test_a_proxy_refuses_the_start() -> None:
    with pytest.raises(ConfigurationError, match="without a `proxy`"):
        TFServingClassifier(TFServingConfig("m", "grpc://127.0.0.1:8500", proxy="http://proxy:3128"))


def test_without_the_library_the_start_is_refused_with_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "grpc", None)
    monkeypatch.delitem(sys.modules, module.__name__)
    with pytest.raises(ConfigurationError, match="pip install grpcio"):
        TFServingClassifier(TFServingConfig("m", "grpc://127.0.0.1:8500"))
    TFServingClassifier(TFServingConfig("m", "http://127.0.0.1:8501")).close()


def test_the_library_writes_nothing_beside_the_log(serve: Serve) -> None:
    asked = """
from classifyd.engines.tfserving import TFServingClassifier, TFServingConfig
try:
    TFServingClassifier(TFServingConfig("m", "grpcs://127.0.0.1:{port}", timeout=10)).probe()
except Exception as error:
    print(error)
"""
    server = serve(lambda connection: connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n"))
    ran = subprocess.run(
        [sys.executable, "-c", asked.format(port=server.port)],
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert "cannot be reached" in ran.stdout
    assert ran.stderr == ""
