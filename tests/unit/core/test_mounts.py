"""Which file system a path lies on."""

from pathlib import PurePosixPath

import pytest

from classifyd.core import mounts
from tests.unit.mount_table import TABLE


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
