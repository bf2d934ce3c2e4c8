"""Old results, found and deleted by who holds the database's lock: an operator's tool."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from sqlalchemy import BindParameter, bindparam, delete, select

from classifyd.core.times import utc_text
from classifyd.store.database import existing
from classifyd.store.failures import translated
from classifyd.store.locking import DatabaseLock
from classifyd.store.sqlite import reading_engine, writing_engine
from classifyd.store.tables import outbox, results

# The search for places reads the whole table once per batch, so batches are large; SQLite allows 32,766
# variables in a statement.
_BATCH = 10_000

_waits = select(outbox.c.position).where(outbox.c.result_id == results.c.id, outbox.c.published_at.is_(None))
_old = (
    select(results.c.id, results.c.stored_path, results.c.size_bytes)
    .where(results.c.id > bindparam("after"), results.c.classified_at < bindparam("before"), ~_waits.exists())
    .order_by(results.c.id)
    .limit(_BATCH)
)
_at_places = select(results.c.id, results.c.stored_path).where(
    results.c.stored_path.in_(bindparam("places", expanding=True))
)

_ids: BindParameter[str] = bindparam("ids", expanding=True)
_delete_messages = delete(outbox).where(outbox.c.result_id.in_(_ids))
_delete_results = delete(results).where(results.c.id.in_(_ids))


@dataclass(frozen=True, slots=True)
class OldResult:
    """What pruning needs to know of a result: `place` is its `stored_path`, encoded as `core.names` says."""

    id: str
    place: str | None
    size_bytes: int


class OldResults:
    """The results of the database of `url`. Made `exclusive` it holds the lock, which deleting needs.

    Raises ConfigurationError when there is no database, or a daemon holds the lock; its methods raise
    StoreUnavailable.
    """

    def __init__(self, url: str, *, exclusive: bool) -> None:
        self._path: Path = existing(url)
        self._lock = DatabaseLock(self._path, "classifyd prune") if exclusive else None
        self._reading = reading_engine(self._path)
        self._writing = writing_engine(self._path)

    def before(self, moment: datetime) -> Iterator[Sequence[OldResult]]:
        """Those classified before then, oldest first, in batches; none whose message still waits."""
        after = ""
        while batch := self._batch(after, moment):
            yield batch
            after = batch[-1].id

    def named_by_others(self, batch: Collection[OldResult]) -> set[str]:
        """The places of this batch that results outside it name too: there lies a later picture."""
        ids = {old.id for old in batch}
        places = [old.place for old in batch if old.place is not None]
        with translated(self._path), self._reading.connect() as connection:
            rows = connection.execute(_at_places, {"places": places}).all()
        return {place for result_id, place in rows if result_id not in ids}

    def delete(self, ids: Sequence[str]) -> None:
        """Deletes these results, with what the outbox still holds of them."""
        with translated(self._path), self._writing.begin() as connection:
            connection.execute(_delete_messages, {"ids": ids})
            connection.execute(_delete_results, {"ids": ids})

    def close(self) -> None:
        """Closes its connections and lets a daemon have the database."""
        self._reading.dispose()
        self._writing.dispose()
        if self._lock is not None:
            self._lock.release()

    def _batch(self, after: str, moment: datetime) -> list[OldResult]:
        values = {"after": after, "before": utc_text(moment)}
        with translated(self._path), self._reading.connect() as connection:
            return [OldResult(*row) for row in connection.execute(_old, values)]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
