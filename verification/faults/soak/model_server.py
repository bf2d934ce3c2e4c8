"""A model server in a process of its own that can be taken away and given back, on the same port.

It answers at once (`verification/kit/instant.py`): a stand-in that speaks TensorFlow Serving's protocol.
"""

import subprocess
import sys
from types import TracebackType
from typing import Self

from verification.kit.daemon import free_port

STOP_BOUND = 10.0


class ModelServer:
    """Started and killed as often as wanted."""

    def __init__(self) -> None:
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Starts it and waits until it listens."""
        command = [sys.executable, "-m", "verification.kit.instant", "--port", str(self._port)]
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        if not self._process.stdout.readline():
            raise RuntimeError(f"the model server ended at once with {self._process.wait(STOP_BOUND)}")

    def kill(self) -> None:
        """SIGKILL: its connections are reset, and its port refuses new ones."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate(timeout=STOP_BOUND)
            self._process = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
