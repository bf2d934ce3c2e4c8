"""Times as text: UTC, RFC 3339, milliseconds, sortable."""

from datetime import UTC, datetime
from functools import lru_cache

KEPT = 2048
"""Texts of moments: one picture's are wanted several times, by its message and by its row."""


def utc_text(moment: datetime) -> str:
    """`2026-01-31T12:00:00.000Z` for an aware datetime."""
    # Only moments in UTC may share a text by being equal: in other zones the same hour may come twice.
    return _text(moment if moment.tzinfo is UTC else moment.astimezone(UTC))


def utc_moment(text: str) -> datetime:
    """The aware datetime that `utc_text` wrote. Raises ValueError for other text."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    return moment.astimezone(UTC)


@lru_cache(KEPT)
def _text(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"
