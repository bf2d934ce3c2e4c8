"""Whether a path lies on a network file system."""

from pathlib import PurePosixPath

import pytest

from classifyd.store import mounts
from tests.unit.mount_table import TABLE


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
