"""Names that would do harm where they were taken for more than text, and how a log must look after them."""

import os
import re

from verification.kit.daemon import DaemonProcess
from verification.kit.pictures import jpeg

JPEG = jpeg("red")
NO_JPEG = b"this is no picture\n"
FORGED = "2026-01-01T00:00:00Z [error    ] forged"
LINE = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z \[\w+ *\] ")
CONSOLE = {"CLASSIFYD_LOG__FORMAT": "console", "CLASSIFYD_LOG__LEVEL": "debug"}
HOSTILE = [
    b"%2e%2e%2f..%2fetc%2fpasswd.jpg",
    b"\\..\\..\\windows.jpg",
    b"-rf.jpg",
    b"--config=x.jpg",
    b"a\nb.jpg",
    f"a\r\n{FORGED}.jpg".encode(),
    b"\x1b[2J\x1b]0;title\x07.jpg",
    b"\x7f\x01\x02.jpg",
    b"\xff\xfe\x80.jpg",
    "\u2028\u2029\u0085.jpg".encode(),
    "\u202egpj.exe.jpg".encode(),
    b"%00.jpg",
    b"%.jpg",
    b"$(touch pwned);`touch pwned`.jpg",
    b"'; DROP TABLE results; --.jpg",
    b'{"event": "forged"}.jpg',
    b"x" * 251 + b".jpg",
    "\u00e4".encode() * 125 + b".jpg",
]


def check_log(daemon: DaemonProcess) -> None:
    """One event, one line, and nothing that a terminal would obey."""
    lines = daemon.log.read_bytes().decode().split("\n")
    assert lines.pop() == ""
    for line in lines:
        assert line.isprintable(), line
        assert LINE.match(line), line
        assert not line.startswith(FORGED)


def stored(daemon: DaemonProcess) -> list[bytes]:
    """The names of all that lies in done and failed."""
    folders = (daemon.done, daemon.failed)
    return [os.fsencode(path.name) for folder in folders for path in folder.rglob("*") if path.is_file()]
