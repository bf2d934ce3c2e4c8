"""Starts daemons quickly: a small process imports the daemon once, and forks a child for each start.

The child runs the entry of `classifyd run` like a new process would, less the second that importing takes;
it is a process of its own, and SIGKILL ends it like any other. One child at a time.

Orders are lines of JSON on standard input: one that starts a child is answered by a line with its process id,
and when the child has ended by a line with its status: an exit code, or minus the number of the signal that
ended it. Signals go through here too, where it is known whether the child still lives.
"""

import gc
import importlib
import json
import os
import random
import select
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn, Self

from verification.faults.crash.stand_ins import STAND_INS

PRELOADED = ("classifyd.cli.app", "classifyd.cli.running", "classifyd.settings", "alembic.runtime.migration")
_READY_BOUND = 300.0
_ANSWER_BOUND = 120.0
"""Seconds, on a machine that is busy with much else."""


class Zygote:
    """The lane's end of it."""

    def __init__(self) -> None:
        # What is killed measures no coverage; it would only be slower.
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**inherited, "OPENBLAS_NUM_THREADS": "1"},
        )
        self._answer(_READY_BOUND)
        self._lives = False

    def launch(
        self, folder: Path, environment: Mapping[str, str], log: Path, stand_ins: Sequence[str] = ()
    ) -> None:
        """Starts a daemon in `folder` with these variables of its own."""
        order = {
            "folder": str(folder),
            "environment": dict(environment),
            "log": str(log),
            "stand_ins": list(stand_ins),
        }
        self._send(order)
        self._answer(_ANSWER_BOUND)
        self._lives = True

    def ended(self, seconds: float) -> int | None:
        """Waits for the child's end; its status, or None when it lives on."""
        assert self._process.stdout is not None
        readable, _, _ = select.select([self._process.stdout], [], [], seconds)
        if not readable:
            return None
        self._lives = False
        return self._answer(_ANSWER_BOUND)

    def ask_to_end(self) -> None:
        """SIGTERM to the child, if it lives."""
        self._send({"signal": signal.SIGTERM})

    def kill(self) -> None:
        """SIGKILL to the child, unless its end was told already, and waits for it."""
        if self._lives:
            self._send({"signal": signal.SIGKILL})
            if self.ended(_ANSWER_BOUND) is None:
                raise RuntimeError("a killed process goes on")

    def close(self) -> None:
        """Ends the zygote, and its child."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(_ANSWER_BOUND)
        self._process.stdout.close()

    def _send(self, order: Mapping[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        self._process.stdin.flush()

    def _answer(self, bound: float) -> int:
        assert self._process.stdout is not None
        readable, _, _ = select.select([self._process.stdout], [], [], bound)
        line = os.read(self._process.stdout.fileno(), 16) if readable else b""
        if not line:
            raise RuntimeError("the zygote does not answer")
        return int(line)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def serve() -> None:
    """Forks until standard input ends."""
    for module in PRELOADED:
        importlib.import_module(module)
    gc.freeze()
    wakened, waker = os.pipe()
    os.set_blocking(waker, False)
    signal.set_wakeup_fd(waker)
    signal.signal(signal.SIGCHLD, lambda *_arguments: None)
    _tell(0)
    child = 0
    while True:
        readable, _, _ = select.select([0, wakened], [], [])
        if wakened in readable:
            os.read(wakened, 64)
            child = _reaped(child)
        if 0 in readable:
            lines = os.read(0, 65536).splitlines()
            if not lines:
                break
            for line in lines:
                child = _obey(json.loads(line), child)
    if child:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def _reaped(child: int) -> int:
    """The child if it lives, otherwise 0, with its end told."""
    ended, status = os.waitpid(child, os.WNOHANG) if child else (0, 0)
    if ended:
        _tell(os.waitstatus_to_exitcode(status))
    return 0 if ended else child


def _obey(order: dict[str, Any], child: int) -> int:
    """The child, after an order was carried out."""
    if "signal" in order:
        if child:
            os.kill(child, order["signal"])
        return child
    started = os.fork()
    if not started:
        _become(order)
    _tell(started)
    return started


def _tell(number: int) -> None:
    os.write(1, f"{number:>15}\n".encode())


def _become(order: dict[str, Any]) -> NoReturn:
    """The child: `classifyd run`."""
    os.close(signal.set_wakeup_fd(-1))
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(log, 1)
    os.dup2(log, 2)
    random.seed()
    for name in [name for name in os.environ if name.startswith("CLASSIFYD_")]:
        del os.environ[name]
    os.environ.update(order["environment"])
    os.chdir(order["folder"])
    for name in order["stand_ins"]:
        STAND_INS[name](Path(order["folder"]))
    sys.argv = ["classifyd", "run"]
    code: object = 1
    try:
        from classifyd.cli import main

        main()
    except SystemExit as ended:
        code = ended.code
    except BaseException as error:  # noqa: BLE001 - a new process would tell it on its standard error too
        sys.excepthook(type(error), error, error.__traceback__)
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else 0)


if __name__ == "__main__":
    serve()
