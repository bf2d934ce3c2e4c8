"""A running daemon as its clients see it, and one to start for oneself."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

START_TIMEOUT = 90.0
STOP_TIMEOUT = 45.0


class Daemon(requests.Session):
    """Asks the daemon at `url`; paths are relative to it. Shows `api_key`, where there is one. Proxies of the
    environment are ignored."""

    def __init__(self, url: str, api_key: str | None = None) -> None:
        super().__init__()
        self.url = url.rstrip("/")
        self.trust_env = False
        if api_key:
            self.headers["Authorization"] = f"Bearer {api_key}"

    def request(self, method: str | bytes, url: str | bytes, *args: Any, **options: Any) -> requests.Response:
        """As `requests.Session.request`, for a path, within a minute unless told otherwise."""
        return super().request(method, f"{self.url}{url!s}", *args, **({"timeout": 60} | options))

    def wait_until_ready(self, process: subprocess.Popen[bytes] | None = None) -> None:
        """Returns once `/readyz` says so. Raises TimeoutError after `START_TIMEOUT`, or as soon as `process`
        has ended."""
        end = time.monotonic() + START_TIMEOUT
        told = "nobody listens"
        while time.monotonic() < end and (process is None or process.poll() is None):
            try:
                answer = self.get("/readyz")
            except requests.ConnectionError:
                pass
            else:
                if answer.ok:
                    return
                told = answer.text
            time.sleep(0.1)
        raise TimeoutError(f"the daemon at {self.url} is not ready: {told}")


@contextmanager
def started(folder: Path, options: Sequence[str] = ()) -> Iterator[Daemon]:
    """A daemon with `folder` as its working directory, on a free port, with no setting of the environment but
    what `options` of `classifyd run` say. It is stopped at the end; raises RuntimeError with its log when it
    does not stop cleanly."""
    address = f"127.0.0.1:{free_port()}"
    log = folder / "daemon.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command(), "run", "--http", address, *options],
            cwd=folder,
            env={name: value for name, value in os.environ.items() if not name.startswith("CLASSIFYD_")},
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
    if process.returncode:
        raise RuntimeError(f"the daemon ended with {process.returncode}; its log is {log}")


def command() -> list[str]:
    """The command line that is `classifyd`, also where its script is not installed."""
    return [sys.executable, "-c", "from classifyd.cli import main; main()"]


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
