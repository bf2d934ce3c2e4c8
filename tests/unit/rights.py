"""Folders that may not be entered, also for the superuser."""

import errno
from pathlib import Path


def forbid(monkeypatch, folder):
    """Lets nobody look at what lies in a folder."""
    look = Path.stat

    def denied(path, **options):
        if folder in path.parents:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return look(path, **options)

    monkeypatch.setattr(Path, "stat", denied)
