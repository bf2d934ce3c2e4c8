"""Times as text: UTC, RFC 3339, milliseconds, sortable."""

from datetime import UTC, datetime


def utc_text(moment: datetime) -> str:
    """`2026-01-31T12:00:00.000Z` for an aware datetime."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def utc_moment(text: str) -> datetime:
    """The aware datetime that `utc_text` wrote. Raises ValueError for other text."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    return moment.astimezone(UTC)
