"""Which file systems tell the kernel of changes that other machines (or user space) make: few do."""

import os
import re
from pathlib import Path

from classifyd.core.mounts import file_system_type

_REMOTE = re.compile(
    r"nfs\d?|cifs|smb\d?|smbfs|9p|fuse(blk|\..+)?|virtiofs|vboxsf|prl_fs|afs|ceph|lustre|gfs2|ocfs2"
)


def remote_kind(path: Path, mountinfo: Path = Path("/proc/self/mountinfo")) -> str | None:
    """The type of the file system at `path` if changes on it may come without an event, or None.

    Read from Linux's mount table (proc(5), /proc/pid/mountinfo); None where there is no such table.
    """
    try:
        table = os.fsdecode(mountinfo.read_bytes())
    except OSError:
        return None
    kind = file_system_type(Path(os.path.realpath(path)), table)
    return kind if _REMOTE.fullmatch(kind) else None
