"""Whether a path lies on a network file system, where SQLite's write-ahead log cannot be shared."""

from pathlib import Path

from classifyd.core.mounts import file_system_type

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
