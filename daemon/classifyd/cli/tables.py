"""Tables for people: fitted to a terminal, never cut where another program reads."""

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

_UNCUT = 100_000


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], long: str) -> None:
    """Prints rows under their column's names on standard output. The column `long` is folded where the
    terminal is too narrow for all."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=_UNCUT)
    shown = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        shown.add_column(column, overflow="fold", no_wrap=column != long)
    for row in rows:
        shown.add_row(*map(Text, row))
    console.print(shown)
