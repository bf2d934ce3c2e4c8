"""A daemon in a process of its own, as a user would start it, in a folder of its own."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from verification.kit.database import select

START_BOUND = 60.0
STOP_BOUND = 60.0
TOLD_BOUND = 120.0
POLL = 0.05
LONGEST_LINE = 400


class DaemonFailed(Exception):
    """The daemon ended, or did not become what was waited for; the message holds the end of its log."""


class DaemonProcess:
    """`classifyd run` in `folder`, on a free port, with further settings as environment variables.

    Started and stopped as often as wanted; data and port stay the same. `within` is a command that runs
    the command that is appended to it, in its own process (`unshare --user`).
    """

    def __init__(
        self, folder: Path, settings: Mapping[str, str] | None = None, within: Sequence[str] = ()
    ) -> None:
        self.folder = folder
        self._within = within
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.inbox = folder / "data" / "inbox"
        self.done = folder / "data" / "done"
        self.failed = folder / "data" / "failed"
        self.database = folder / "data" / "classifyd.db"
        self.log = folder / "daemon.log"
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("CLASSIFYD_")}
        self._environment = {**inherited, "CLASSIFYD_HTTP__PORT": str(self.port), **(settings or {})}
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None and self._process.poll() is None:
            self.kill()

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs another `classifyd` command with the same settings, in the same folder."""
        return subprocess.run(
            [sys.executable, "-m", "classifyd", *arguments],
            cwd=self.folder,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=STOP_BOUND,
            check=False,
        )

    def start(self, *arguments: str) -> None:
        """Starts it and waits until it is ready. Raises DaemonFailed when it is not within a minute."""
        self.launch(*arguments)
        try:
            self.wait_until_ready()
        except DaemonFailed:
            self.kill()
            raise

    def launch(self, *arguments: str) -> None:
        """Starts it and does not wait."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*self._within, sys.executable, "-m", "classifyd", "run", *arguments],
                cwd=self.folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    @property
    def pid(self) -> int:
        """The number of its process."""
        return self._running.pid

    def signal(self, number: int) -> None:
        """Sends it a signal."""
        self._running.send_signal(number)

    def kill(self) -> None:
        """Ends it by SIGKILL."""
        self._running.kill()
        self._running.wait(STOP_BOUND)

    def stop(self) -> int:
        """Ends it by SIGTERM; returns its exit code."""
        self.signal(signal.SIGTERM)
        return self.wait()

    def wait(self) -> int:
        """Waits until it has ended by itself; returns its exit code."""
        return self._running.wait(STOP_BOUND)

    def get(self, path: str) -> tuple[int, Any]:
        """Status and parsed JSON of a GET; status 0 while nobody listens."""
        try:
            with urllib.request.urlopen(self.url + path, timeout=10) as response:
                return response.status, json.load(response)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.loads(error.read())
        except OSError:
            return 0, None

    @property
    def ready(self) -> bool:
        """Whether every part is up, as `/readyz` tells."""
        return self.get("/readyz")[0] == 200

    def trouble(self, part: str) -> str:
        """Why a part is down, as `/readyz` tells; nothing while it is up, or while nobody answers."""
        _status, report = self.get("/readyz")
        state = (report or {}).get("parts", {}).get(part, {"up": True})
        return "" if state["up"] else str(state["detail"])

    def rows(self, query: str = "SELECT * FROM results ORDER BY id") -> list[dict[str, Any]]:
        """Reads the database file itself, without the daemon's code."""
        return [dict(row) for row in select(self.database, query)]

    def count(self) -> int:
        """How many results are recorded."""
        rows = self.rows("SELECT count(*) AS n FROM results")
        return int(rows[0]["n"]) if rows else 0

    def wait_until(self, condition: Callable[[], bool], bound: float, what: str, every: float = POLL) -> None:
        """Waits `bound` seconds at most, and looks every so many seconds. Raises DaemonFailed when it ends
        before, or time runs out."""
        deadline = time.monotonic() + bound
        while not condition():
            if self._running.poll() is not None:
                raise DaemonFailed(f"ended with {self._running.returncode} before {what}\n{self.tail()}")
            if time.monotonic() > deadline:
                raise DaemonFailed(f"not {what} within {bound:.0f} s\n{self.tail()}")
            time.sleep(every)

    def wait_until_ready(self, bound: float = START_BOUND) -> None:
        """Waits until every part is up."""
        self.wait_until(lambda: self.ready, bound, "ready")

    def wait_until_told(self, part: str, *words: str) -> None:
        """Waits until `/readyz` tells that a part is down, with each of these words in the reason."""

        def told() -> bool:
            trouble = self.trouble(part)
            return bool(trouble) and all(word in trouble for word in words)

        self.wait_until(told, TOLD_BOUND, f"telling of {part}: {words}")

    def wait_until_logged(self, words: str) -> None:
        """Waits until these words are in its log."""
        self.wait_until(lambda: words in self.log.read_text(errors="replace"), TOLD_BOUND, f"logging {words}")

    def tail(self, lines: int = 30) -> str:
        """The end of its log."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return "\n".join(line[:LONGEST_LINE] for line in text.splitlines()[-lines:])

    @property
    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise DaemonFailed("it was never started")
        return self._process


def free_port() -> int:
    """A port that nobody listens on just now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
