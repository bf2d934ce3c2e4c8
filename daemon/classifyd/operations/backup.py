"""A copy of the database, while the daemon runs or not."""

from pathlib import Path

from classifyd.core.errors import ConfigurationError
from classifyd.store.copying import copy_database
from classifyd.store.database import existing, refusing


def backup(url: str, target: Path) -> int:
    """Copies the database of `url` to the new file `target`, which appears when it is whole; returns its
    size in bytes. To go back: stop the daemon, and put the copy in the database's place.

    Raises ConfigurationError when there is no database, `target` exists, or it cannot be written.
    """
    source = existing(url)
    if not target.parent.is_dir():
        raise ConfigurationError(
            f"{target.parent} is no folder: make it, or name another file for the backup"
        )
    with refusing(source):
        try:
            copy_database(source, target)
        except FileExistsError:
            raise ConfigurationError(
                f"{target} exists, and a backup replaces nothing: name another file"
            ) from None
        return target.stat().st_size
