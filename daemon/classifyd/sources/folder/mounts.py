"""Which file systems tell the kernel of changes that other machines (or user space) make: few do."""

import os
import re
from pathlib import Path

_REMOTE = re.compile(
    r"nfs\d?|cifs|smb\d?|smbfs|9p|fuse(blk|\..+)?|virtiofs|vboxsf|prl_fs|afs|ceph|lustre|gfs2|ocfs2"
)
_OCTAL = re.compile(r"\\([0-7]{3})")


def remote_kind(path: Path, mountinfo: Path = Path("/proc/self/mountinfo")) -> str | None:
    """The type of the file system at `path` if changes on it may come without an event, or None.

    Read from Linux's mount table (proc(5), /proc/pid/mountinfo); None where there is no such table.
    """
    try:
        table = os.fsdecode(mountinfo.read_bytes())
    except OSError:
        return None
    kind = _kind_at(os.path.realpath(path), table)
    return kind if kind is not None and _REMOTE.fullmatch(kind) else None


def _kind_at(path: str, table: str) -> str | None:
    best, found = -1, None
    for line in table.splitlines():
        mount, _, rest = line.partition(" - ")
        point = _OCTAL.sub(lambda match: chr(int(match.group(1), 8)), mount.split(" ")[4])
        # Of several mounts on one point the last one is seen.
        if (path == point or path.startswith(point.rstrip("/") + "/")) and len(point) >= best:
            best, found = len(point), rest.split(" ")[0]
    return found
