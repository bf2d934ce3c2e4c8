"""Which file system a path lies on."""

from pathlib import PurePosixPath

import pytest

from classifyd.core import mounts

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
        ("/home/a.db", "ext4"),
        ("/mnt/a.db", "tmpfs"),
        ("/mnt/share one/deep/a.db", "nfs4"),
        ("/mnt/share one else/a.db", "tmpfs"),
        ("/data/a.db", "cifs"),
        ("/database/a.db", "ext4"),
    ],
)
def test_the_innermost_and_latest_mount_counts(path, kind):
    assert mounts.file_system_type(PurePosixPath(path), TABLE) == kind


def test_without_a_line_that_fits_it_is_unknown():
    assert mounts.file_system_type(PurePosixPath("/a"), "") == ""
