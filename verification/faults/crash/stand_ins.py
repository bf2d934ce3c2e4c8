"""What a machine of the tests does not have, put in place inside a child before the daemon starts."""

import errno
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NoReturn

LATER_REVISION = "0009"
_MIGRATION = f'''"""A later version's change, for tests."""

from alembic import op

revision = "{LATER_REVISION}"
down_revision = "0003"


def upgrade() -> None:
    op.create_index("results_by_name", "results", ["name", "id"])
'''


def no_links(_folder: Path) -> None:
    """A file system without hard links (exFAT, some network mounts)."""

    def link(source: object, target: object) -> NoReturn:
        raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP), source, None, target)

    os.link = link  # type: ignore[assignment]


def later_version(folder: Path) -> None:
    """A later classifyd, whose tables are not this one's: its migrations lie in `folder`."""
    from classifyd.store import schema

    migrations = folder / "migrations"
    if not migrations.exists():
        partial = folder / "migrations.part"
        shutil.copytree(schema._MIGRATIONS, partial, ignore=shutil.ignore_patterns("__pycache__"))
        (partial / "versions" / "later.py").write_text(_MIGRATION)
        partial.rename(migrations)
    schema._MIGRATIONS = migrations


STAND_INS: Mapping[str, Callable[[Path], None]] = {"no-links": no_links, "later-version": later_version}
