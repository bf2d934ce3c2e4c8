"""Files that cannot be taken now: one warning each, and tries that grow rarer."""

import errno
import os
import stat

from classifyd.core.names import encode_path
from classifyd.sources.folder.files import StrPath
from classifyd.sources.folder.people import current_user, user_name
from classifyd.telemetry import folder as events

FIRST_DELAY = 1.0
LONGEST_DELAY = 60.0


class Troubles:
    """Remembers up to `limit` files (None: all), each under a key. Used by the source's thread only."""

    def __init__(self, limit: int | None = None) -> None:
        self._limit = limit
        self._failures: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._failures)

    def failed(self, key: str, path: StrPath, error: OSError) -> float | None:
        """A file could not be taken: seconds until the next try, or None where there is no room to remember
        it, and a later scan is to find it again."""
        failures = self._failures.get(key, 0)
        if failures == 0:
            if self._limit is not None and len(self._failures) >= self._limit:
                return None
            events.emit(_unreadable(path, error))
        self._failures[key] = failures + 1
        return float(min(LONGEST_DELAY, FIRST_DELAY * 2 ** min(failures, 16)))

    def over(self, key: str) -> None:
        """The file is taken, or gone."""
        self._failures.pop(key, None)


def remedy(error: OSError) -> str:
    """What a person can do about a file or folder that cannot be used."""
    if error.errno == errno.EXDEV:
        return "the file is on another disk than the inbox: make that folder an inbox of its own"
    if error.errno in {errno.EACCES, errno.EPERM}:
        return (
            f"let user {current_user()} read the file and write in its folder "
            "(chmod, chown, a common group, or without the folder's sticky bit)"
        )
    if error.errno == errno.EROFS:
        return 'mount the inbox\'s disk writable, or set inbox.after = "keep"'
    if error.errno == errno.ENAMETOOLONG:
        return "shorten the folders' names above it"
    return "look at the disk and the system's log"


def _unreadable(path: StrPath, error: OSError) -> events.FileUnreadable:
    try:
        status = os.lstat(path)
        owner, mode = user_name(status.st_uid), stat.filemode(status.st_mode)
    except OSError:
        owner, mode = "unknown", "unknown"
    return events.FileUnreadable(
        path=encode_path(path),
        reason=os.strerror(error.errno) if error.errno else str(error),
        remedy=remedy(error),
        user=current_user(),
        owner=owner,
        mode=mode,
    )
