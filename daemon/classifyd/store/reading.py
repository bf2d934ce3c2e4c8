"""Results for people, and the ledger: what is recorded. Safe from any thread."""

from collections.abc import Collection, Iterator, Mapping
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sqlalchemy import ColumnElement, Connection, Engine, Select, bindparam, func, select

from classifyd.core.times import utc_text
from classifyd.core.values import Filter, Result, Status
from classifyd.store.failures import translated
from classifyd.store.rows import result_of
from classifyd.store.sqlite import reading_engine
from classifyd.store.tables import recording_order, results, sha256_begins

# SQLite allows 32,766 variables in a statement, older versions 999.
_KEYS_AT_ONCE = 500
_ROWS_AT_ONCE = 500

_of_keys = select(results).where(results.c.origin.in_(bindparam("keys", expanding=True)))
_of_id = select(results).where(results.c.id == bindparam("id"))
_counts = select(results.c.status, func.count()).group_by(results.c.status)


def recorded(connection: Connection, keys: Collection[str]) -> dict[str, Result]:
    """The recorded results of these origin keys."""
    waiting = iter(keys)
    found = {}
    while chunk := list(islice(waiting, _KEYS_AT_ONCE)):
        found.update({row.origin: result_of(row) for row in connection.execute(_of_keys, {"keys": chunk})})
    return found


class Reader:
    """`core.ports.Results` and `core.ports.Ledger` over the database at `path`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._engine: Engine = reading_engine(path)

    def known(self, keys: Collection[str]) -> Mapping[str, Result]:
        with translated(self._path), self._engine.connect() as connection:
            return recorded(connection, keys)

    def get(self, result_id: str) -> Result | None:
        if not _storable(result_id):
            return None
        with translated(self._path), self._engine.connect() as connection:
            row = connection.execute(_of_id, {"id": result_id}).one_or_none()
        return None if row is None else result_of(row)

    def page(self, wanted: Filter, limit: int, before: str | None = None) -> list[Result]:
        if not _storable(wanted.label, wanted.name, wanted.sha256, before):
            return []
        # The index by hash holds the id; the others hold nothing that the database does not give them.
        order = recording_order if wanted.sha256 is None else results.c.id
        query = _selection(wanted).order_by(order.desc()).limit(limit)
        with translated(self._path), self._engine.connect() as connection:
            if before is not None:
                seen = connection.execute(_seen(order), {"id": before}).scalar()
                query = query.where(results.c.id < before if seen is None else order < seen)
            rows = connection.execute(query).all()
        return [result_of(row) for row in rows]

    def stream(self, wanted: Filter) -> Iterator[Result]:
        """All wanted results, newest first, in bounded memory and without a transaction between its reads:
        what is recorded meanwhile is newer and does not appear. Raises StoreUnavailable."""
        before: str | None = None
        while page := self.page(wanted, _ROWS_AT_ONCE, before):
            yield from page
            before = page[-1].id

    def counts(self) -> Mapping[Status, int]:
        """How many results there are of each status. Raises StoreUnavailable."""
        with translated(self._path), self._engine.connect() as connection:
            rows = connection.execute(_counts).all()
        return dict.fromkeys(Status, 0) | {Status(status): number for status, number in rows}

    def close(self) -> None:
        """Closes its connections."""
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _seen(order: ColumnElement[Any]) -> Select[Any]:
    """Where the result of this id stands, or, if it was deleted meanwhile, the next newer one."""
    return (
        select(order)
        .select_from(results)
        .where(results.c.id >= bindparam("id"))
        .order_by(results.c.id)
        .limit(1)
    )


def _selection(wanted: Filter) -> Select[Any]:
    exact: dict[ColumnElement[str], str | None] = {
        results.c.label: wanted.label,
        results.c.status: wanted.status,
        results.c.source: wanted.source,
        results.c.name: wanted.name,
    }
    query = select(results).where(*(column == value for column, value in exact.items() if value is not None))
    if wanted.sha256 is not None:
        # Not by `=`: SQLite would put the value in place of the column in `sha256_begins` too, and then
        # not see the index that is made of it.
        query = query.where(
            sha256_begins == wanted.sha256[:1], results.c.sha256.between(wanted.sha256, wanted.sha256)
        )
    if wanted.since is not None:
        query = query.where(results.c.classified_at >= utc_text(wanted.since))
    if wanted.until is not None:
        query = query.where(results.c.classified_at < utc_text(wanted.until))
    return query


def _storable(*values: str | None) -> bool:
    """False for what no row can hold: lone surrogates, from a terminal's bytes that are not UTF-8."""
    try:
        "".join(filter(None, values)).encode()
    except UnicodeEncodeError:
        return False
    return True
