"""Which results are wanted: the same filters as over HTTP."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from classifyd.core.values import Source, Status


def _moment(text: str) -> datetime:
    """A moment in UTC from RFC 3339, or from a date or time without a zone, which is taken as UTC."""
    try:
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is no time: write 2026-01-31, 2026-01-31T12:00 or 2026-01-31T12:00:00Z"
        ) from None
    except OverflowError:
        raise typer.BadParameter(f"{text!r} lies outside the years 1 to 9999 of UTC") from None


Label = Annotated[str | None, typer.Option(help="Classified as this.", show_default=False)]
WithStatus = Annotated[Status | None, typer.Option("--status", help="Ended so.", show_default=False)]
FromSource = Annotated[Source | None, typer.Option("--source", help="Came from there.", show_default=False)]
Name = Annotated[str | None, typer.Option(help="File name or Kafka key.", show_default=False)]
Sha256 = Annotated[str | None, typer.Option(help="Content's SHA-256.", show_default=False)]
Since = Annotated[
    datetime | None,
    typer.Option(parser=_moment, metavar="TIME", help="Classified then or later.", show_default=False),
]
Until = Annotated[
    datetime | None,
    typer.Option(parser=_moment, metavar="TIME", help="Classified before.", show_default=False),
]
