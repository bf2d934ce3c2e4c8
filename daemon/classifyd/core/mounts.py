"""Which file system a path lies on, from the text of Linux's table of mounts (proc_pid_mountinfo(5))."""

import re
from pathlib import PurePath

_OCTAL = re.compile(r"\\([0-7]{3})")


def file_system_type(path: PurePath, table: str) -> str:
    """The type of the innermost mount that holds the absolute `path`; of equal mount points the last one
    counts, since it covers the others. Empty when no line fits."""
    depth, found = 0, ""
    for line in table.splitlines():
        mount, _, rest = line.partition(" - ")
        point = PurePath(_OCTAL.sub(lambda code: chr(int(code[1], 8)), mount.split(" ")[4]))
        if path.is_relative_to(point) and len(point.parts) >= depth:
            depth, found = len(point.parts), rest.split(" ")[0]
    return found
