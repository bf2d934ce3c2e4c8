from pathlib import Path

import pytest

from classifyd.sources.folder.mounts import remote_kind

TABLE = """\
21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
22 21 0:40 / /mnt/nfs rw shared:2 - nfs4 server:/export rw
23 22 8:2 / /mnt/nfs/local rw - xfs /dev/sdb rw
24 21 0:41 / /mnt/with\\040space rw - fuse.sshfs host: rw
25 21 0:42 / /mnt/over rw - cifs //server/share rw
26 21 8:3 / /mnt/over rw - ext4 /dev/sdc rw
27 21 0:43 / /mnt/v rw - virtiofs tag rw
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/home", None),
        ("/mnt/nfs", "nfs4"),
        ("/mnt/nfs/in/box", "nfs4"),
        ("/mnt/nfsother", None),
        ("/mnt/nfs/local/box", None),
        ("/mnt/with space/box", "fuse.sshfs"),
        ("/mnt/over/box", None),
        ("/mnt/v", "virtiofs"),
    ],
)
def test_the_file_system_that_a_path_lies_on_is_found(tmp_path: Path, path: str, kind: str | None) -> None:
    (tmp_path / "mountinfo").write_text(TABLE)
    assert remote_kind(Path(path), tmp_path / "mountinfo") == kind


def test_without_a_mount_table_nothing_is_remote(tmp_path: Path) -> None:
    assert remote_kind(Path("/"), tmp_path / "missing") is None
