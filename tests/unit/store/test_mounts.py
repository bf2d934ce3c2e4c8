"""Whether a path lies on a network file system."""

from pathlib import PurePosixPath

import pytest

from classifyd.store import mounts

TABLE = r"""22 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw
23 22 0:20 / /mnt rw - tmpfs none rw
24 23 0:21 / /mnt/share\040one rw shared:1 master:2 - nfs4 host:/x rw
25 22 0:22 / /data rw - ext4 /dev/sdb rw
26 22 0:23 / /data rw - cifs //host/x rw
27 22 0:24 / /ssh rw - fuse.sshfs host: rw
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/home/x.db", None),
        ("/data/x.db", "cifs"),
        ("/mnt/share one/x.db", "nfs4"),
        ("/ssh/x.db", "fuse.sshfs"),
    ],
)
def test_only_network_file_systems_are_named(tmp_path, monkeypatch, path, kind):
    (tmp_path / "mountinfo").write_text(TABLE)
    monkeypatch.setattr(mounts, "_TABLE", tmp_path / "mountinfo")
    assert mounts.network_file_system(PurePosixPath(path)) == kind


def test_where_there_is_no_table_every_file_system_is_taken_for_local(tmp_path, monkeypatch):
    monkeypatch.setattr(mounts, "_TABLE", tmp_path / "missing")
    assert mounts.network_file_system(PurePosixPath("/data/x.db")) is None
