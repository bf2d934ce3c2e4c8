"""Which file system a path lies on, from Linux's table of mounts (proc_pid_mountinfo(5))."""

import re
from pathlib import Path, PurePath

_TABLE = Path("/proc/self/mountinfo")
_NETWORK = {"9p", "afs", "ceph", "cifs", "glusterfs", "lustre", "ncpfs", "nfs", "nfs4", "smb3", "smbfs"}


def network_file_system(path: Path) -> str | None:
    """The type of the network file system that holds the absolute `path`; None for a local one, and where
    the table of mounts cannot be read (macOS)."""
    try:
        table = _TABLE.read_text(errors="surrogateescape")
    except OSError:
        return None
    kind = file_system_type(path, table)
    remote = kind in _NETWORK or kind.startswith(("fuse.sshfs", "fuse.glusterfs", "fuse.ceph"))
    return kind if remote else None


def file_system_type(path: PurePath, table: str) -> str:
    """The type of the innermost mount that holds `path`; of equal mount points the last one counts, since
    it covers the others. Empty when no line fits."""
    depth, found = 0, ""
    for line in table.splitlines():
        mount, _, rest = line.partition(" - ")
        point = PurePath(re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), mount.split(" ")[4]))
        if path.is_relative_to(point) and len(point.parts) >= depth:
            depth, found = len(point.parts), rest.split(" ")[0]
    return found
