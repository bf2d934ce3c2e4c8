"""A real Kafka broker (KRaft, one node) for tests, from Maven's index: no container needed.

    with Broker(folder) as broker:
        KafkaConsumer("pictures", bootstrap_servers=broker.bootstrap_servers)

The jars are fetched once into `.cache/kafka/` of the checkout and shared by all processes.
"""

import fcntl
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any, Self

CACHE = Path(__file__).parents[2] / ".cache" / "kafka"
POM = Path(__file__).with_name("kafka-pom.xml")
START_TIMEOUT = 90.0  # seconds; nine on an idle machine
STOP_TIMEOUT = 20.0
USER, PASSWORD = "classifyd", "for-tests-only"

_LOG4J = """<Configuration status="error">
  <Appenders><Console name="console"><PatternLayout pattern="%d %p %c %m%n"/></Console></Appenders>
  <Loggers>
    <Logger name="kafka.server.KafkaRaftServer" level="info"/>
    <Root level="error"><AppenderRef ref="console"/></Root>
  </Loggers>
</Configuration>
"""


class BrokerMissing(RuntimeError):
    """No broker can be had on this machine; the message says what is missing."""


def jars() -> Path:
    """The folder with the broker's jars, fetched if need be. Raises BrokerMissing."""
    for tool in ("java", "keytool", "mvn"):
        if shutil.which(tool) is None:
            raise BrokerMissing(f"a real Kafka broker needs Java 17 and Maven: {tool} is not installed")
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        libs = CACHE / f"libs-{sha256(POM.read_bytes()).hexdigest()[:12]}"
        if not libs.exists():
            _fetch(libs)
    return libs


def _fetch(libs: Path) -> None:
    partial = libs.with_suffix(".part")
    shutil.rmtree(partial, ignore_errors=True)
    fetched = subprocess.run(
        ["mvn", "-q", "-B", "-f", POM, "dependency:copy-dependencies", f"-DoutputDirectory={partial}"],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    if fetched.returncode:
        told = (fetched.stdout + fetched.stderr).strip().splitlines()
        raise BrokerMissing(f"Maven's index cannot be reached: {told[0] if told else 'no reason given'}")
    partial.rename(libs)


class Broker:
    """One broker process. `start` and `stop` may alternate; its data and its ports stay the same."""

    def __init__(
        self, folder: Path, *, secured: bool = False, settings: Mapping[str, str] | None = None
    ) -> None:
        """`folder` takes its data and log; `secured` adds a SASL_SSL listener; `settings` are further
        broker settings, such as `message.max.bytes`."""
        self._folder = folder
        self._secured = secured
        self._libs = jars()
        self._plain, self._controller, self._sasl = _free_ports(3)
        self._settings = settings or {}
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)
        self._prepare()

    @property
    def bootstrap_servers(self) -> str:
        return f"127.0.0.1:{self._plain}"

    @property
    def connection(self) -> dict[str, Any]:
        """kafka-python's arguments for the plain listener."""
        return {"bootstrap_servers": self.bootstrap_servers}

    def secured_connection(self, mechanism: str = "PLAIN") -> dict[str, Any]:
        """kafka-python's arguments for the SASL_SSL listener; the mechanism is PLAIN or SCRAM-SHA-512."""
        return {
            "bootstrap_servers": f"127.0.0.1:{self._sasl}",
            "security_protocol": "SASL_SSL",
            "sasl_mechanism": mechanism,
            "sasl_plain_username": USER,
            "sasl_plain_password": PASSWORD,
            "ssl_cafile": str(self._folder / "broker.pem"),
        }

    @property
    def pid(self) -> int:
        assert self._process is not None, "the broker is not running"
        return self._process.pid

    def start(self) -> None:
        """Starts the process and waits until it serves."""
        self._process = self._spawn()
        deadline = time.monotonic() + START_TIMEOUT
        while not self._serves():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"the broker did not start:\n{self._log.read_text()[-2000:]}")
            time.sleep(0.05)

    def stop(self) -> None:
        """Ends it in order, or kills it if that takes too long."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._process.wait()
        self._process = None

    def kill(self) -> None:
        """SIGKILL."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def restart(self) -> None:
        self.stop()
        self.start()

    def pause(self) -> None:
        """SIGSTOP: its connections stay open and nothing answers."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self.kill()

    @property
    def _log(self) -> Path:
        return self._folder / "broker.log"

    def _serves(self) -> bool:
        return self._log.exists() and b"Kafka Server started" in self._log.read_bytes()

    def _spawn(self) -> subprocess.Popen[bytes]:
        with self._log.open("wb") as log:
            return subprocess.Popen(
                self._java("kafka.Kafka", self._folder / "server.properties"),
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _java(self, *arguments: str | Path) -> list[str | Path]:
        log4j = f"-Dlog4j2.configurationFile={self._folder / 'log4j2.xml'}"
        # What compression unpacks stays behind when the process is killed: it is to vanish with the folder.
        scratch = f"-Djava.io.tmpdir={self._folder}"
        machine = ["-Xmx512m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-XX:-UsePerfData"]
        return ["java", *machine, log4j, scratch, "-cp", f"{self._libs}/*", *arguments]

    def _prepare(self) -> None:
        (self._folder / "log4j2.xml").write_text(_LOG4J)
        if self._secured:
            self._make_certificate()
        properties = self._folder / "server.properties"
        properties.write_text("".join(f"{key}={value}\n" for key, value in self._properties().items()))
        format_storage: list[str | Path] = ["kafka.tools.StorageTool", "format", "--standalone"]
        cluster_id = urlsafe_b64encode(secrets.token_bytes(16)).decode().rstrip("=").replace("-", "x")
        format_storage += ["-t", cluster_id, "-c", properties]
        if self._secured:
            format_storage += ["--add-scram", f'SCRAM-SHA-512=[name={USER},password="{PASSWORD}"]']
        _run(self._java(*format_storage))

    def _properties(self) -> dict[str, str]:
        plain = f"PLAINTEXT://127.0.0.1:{self._plain}"
        sasl = f",SASL_SSL://127.0.0.1:{self._sasl}" if self._secured else ""
        properties = {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.bootstrap.servers": f"127.0.0.1:{self._controller}",
            "listeners": f"{plain}{sasl},CONTROLLER://127.0.0.1:{self._controller}",
            "advertised.listeners": f"{plain}{sasl}",
            "controller.listener.names": "CONTROLLER",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,SASL_SSL:SASL_SSL,CONTROLLER:PLAINTEXT",
            "log.dirs": str(self._folder / "data"),
            "auto.create.topics.enable": "false",
            "offsets.topic.replication.factor": "1",
            "offsets.topic.num.partitions": "1",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.num.partitions": "1",
            "transaction.state.log.min.isr": "1",
            "group.initial.rebalance.delay.ms": "0",
            "group.min.session.timeout.ms": "1000",
            "log.initial.task.delay.ms": "100",
            "file.delete.delay.ms": "100",
        }
        return properties | (self._sasl_properties() if self._secured else {}) | dict(self._settings)

    def _sasl_properties(self) -> dict[str, str]:
        package = "org.apache.kafka.common.security"
        plain = f'{package}.plain.PlainLoginModule required user_{USER}="{PASSWORD}";'
        scram = f"{package}.scram.ScramLoginModule required;"
        return {
            "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-512",
            "listener.name.sasl_ssl.plain.sasl.jaas.config": plain,
            "listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config": scram,
            "ssl.keystore.location": str(self._folder / "broker.p12"),
            "ssl.keystore.password": "changeit",
            "ssl.keystore.type": "PKCS12",
        }

    def _make_certificate(self) -> None:
        store = ["-keystore", self._folder / "broker.p12", "-storepass", "changeit", "-alias", "broker"]
        pair = ["-genkeypair", "-keyalg", "RSA", "-dname", "CN=127.0.0.1", "-ext", "SAN=IP:127.0.0.1"]
        pem = ["-exportcert", "-rfc", "-file", self._folder / "broker.pem"]
        for command in ([*pair, "-ext", "BC=ca:true", "-storetype", "PKCS12"], pem):
            _run(["keytool", *command, *store])


@contextmanager
def temporary_broker(**options: Any) -> Iterator[Broker]:
    """A broker whose data vanish with it. `options` are those of Broker."""
    with tempfile.TemporaryDirectory(prefix="kafka-") as folder, Broker(Path(folder), **options) as broker:
        yield broker


def _free_ports(count: int) -> list[int]:
    with_ports = [socket.socket() for _ in range(count)]
    try:
        for one in with_ports:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in with_ports]
    finally:
        for one in with_ports:
            one.close()


def _run(command: list[str | Path]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=START_TIMEOUT, check=False)
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed: {done.stdout}{done.stderr}")
