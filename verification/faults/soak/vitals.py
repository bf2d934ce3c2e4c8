"""What a running daemon takes: memory, descriptors, threads, and what its database keeps (Linux)."""

from dataclasses import dataclass
from pathlib import Path

from verification.kit.database import select
from verification.kit.process import connections, memory, status, targets


@dataclass(frozen=True, slots=True)
class Vitals:
    """At one moment. `wal` and `rss` in bytes; `connections` are the `fds` that are TCP; `pending` are
    messages that wait in the outbox, `kept` all that are there, `oldest` the seconds since the first of the
    published ones was."""

    rss: int
    fds: int
    connections: int
    threads: int
    wal: int
    pending: int
    kept: int
    oldest: float
    rows: int


_QUESTION = """
SELECT (SELECT count(*) FROM outbox WHERE published_at IS NULL),
       (SELECT count(*) FROM outbox),
       (SELECT (julianday('now') - julianday(min(published_at))) * 86400
          FROM outbox WHERE published_at IS NOT NULL),
       (SELECT max(rowid) FROM results)
"""


def vitals(pid: int, database: Path) -> Vitals:
    """Looks at the process and at its database's file. Results are only ever added here, so that the greatest
    rowid is their number."""
    pending, kept, oldest, rows = select(database, _QUESTION)[0]
    return Vitals(
        rss=memory(pid, "VmRSS"),
        fds=len(targets(pid)),
        connections=connections(pid),
        threads=int(status(pid)["Threads"]),
        wal=database.with_name(f"{database.name}-wal").stat().st_size,
        pending=pending,
        kept=kept,
        oldest=oldest or 0.0,
        rows=rows or 0,
    )


def rows_by_source(database: Path) -> dict[str, int]:
    """How many results each source has."""
    return dict(select(database, "SELECT source, count(*) FROM results GROUP BY source"))
