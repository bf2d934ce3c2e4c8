"""The database: results, the outbox, and what keeps one daemon to a file. The only room that knows SQL.

`Database.open` is the daemon's way in, `read_only` that of everyone who looks beside it.
"""

from classifyd.store.database import Database, read_only
from classifyd.store.reading import Reader

__all__ = ["Database", "Reader", "read_only"]
