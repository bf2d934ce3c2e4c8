"""The database's version: what it is, whether this code knows it, and the way from one to the next."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import NullPool, create_engine

from classifyd.core.errors import ConfigurationError
from classifyd.crashpoints import Point, reached
from classifyd.store.sqlite import connect

_MIGRATIONS = Path(__file__).with_name("migrations")


def head() -> str:
    """The revision of this code's tables."""
    (revision,) = ScriptDirectory(str(_MIGRATIONS)).get_heads()
    return revision


def revision_of(path: Path) -> str | None:
    """The revision of the database at `path`, one of this code's; None when it holds no table yet.

    Raises ConfigurationError when it is newer than the code or not classifyd's; sqlite3.Error.
    """
    if not path.is_file():
        raise ConfigurationError(f"{path} is no file: name another place in database.url")
    connection = connect(path, "ro")
    try:
        tables = {
            name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        }
        if not tables:
            return None
        if "alembic_version" not in tables or "results" not in tables:
            raise ConfigurationError(
                f"{path} is the database of another program: name another file in database.url"
            )
        found = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    finally:
        connection.close()
    revision: str | None = found and found[0]
    if revision not in {script.revision for script in ScriptDirectory(str(_MIGRATIONS)).walk_revisions()}:
        raise ConfigurationError(
            f"{path} was written by a newer classifyd (revision {revision}, this one knows {head()}):"
            " install that version, or restore the copy made before its upgrade"
        )
    return revision


def upgrade(path: Path) -> None:
    """Brings the database at `path` to `head`, in one transaction. Raises SQLAlchemy's DBAPIError."""
    config = Config()
    # `%` is the configuration parser's own sign.
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    engine = create_engine("sqlite://", creator=lambda: connect(path, "rwc"), poolclass=NullPool)
    with engine.connect() as connection:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        reached(Point.TABLES_MADE)
        connection.commit()
