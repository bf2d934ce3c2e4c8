"""The daemon that the black-box tests ask: at `CLASSIFYD_URL`, or one that is started for them.

`CLASSIFYD_API_KEY` is shown where it is set. Faults and benchmarks are run by their own commands.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

collect_ignore = ["faults", "bench"]

START_TIMEOUT = 90.0
STOP_TIMEOUT = 45.0


class Daemon(requests.Session):
    """A running daemon; paths are relative to its address. Proxies of the environment are ignored."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.url = url.rstrip("/")
        self.trust_env = False
        if key := os.environ.get("CLASSIFYD_API_KEY"):
            self.headers["Authorization"] = f"Bearer {key}"

    def request(self, method: str, url: str, *args: object, **options: object) -> requests.Response:  # type: ignore[override]
        return super().request(method, self.url + url, *args, **({"timeout": 60} | options))  # type: ignore[arg-type]

    def wait_until_ready(self, alive: subprocess.Popen[bytes] | None = None) -> None:
        """Returns once `/readyz` says so. Fails after `START_TIMEOUT`, or when the process has ended."""
        end = time.monotonic() + START_TIMEOUT
        told = "no connection"
        while time.monotonic() < end and (alive is None or alive.poll() is None):
            try:
                answer = self.get("/readyz")
            except requests.ConnectionError:
                pass
            else:
                if answer.ok:
                    return
                told = answer.text
            time.sleep(0.1)
        pytest.fail(f"the daemon at {self.url} is not ready: {told}")


@pytest.fixture(scope="session")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    if url := os.environ.get("CLASSIFYD_URL"):
        with Daemon(url) as daemon:
            daemon.wait_until_ready()
            yield daemon
    else:
        with _started(tmp_path_factory.mktemp("daemon")) as daemon:
            yield daemon


@contextmanager
def _started(folder: Path) -> Iterator[Daemon]:
    """A daemon of the default configuration in an empty folder, on a free port."""
    address = f"127.0.0.1:{_free_port()}"
    log = folder / "daemon.log"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CLASSIFYD_")}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-c", "from classifyd.cli import main; main()", "run", "--http", address],
            cwd=folder,
            env=environment,
            stdout=output,
            stderr=output,
        )
    try:
        with Daemon(f"http://{address}") as daemon:
            daemon.wait_until_ready(process)
            yield daemon
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_TIMEOUT)
        finally:
            process.kill()
            process.wait()
            print(log.read_text(errors="replace"))  # pytest shows it where a test failed
    assert process.returncode == 0, "the daemon did not stop cleanly"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
