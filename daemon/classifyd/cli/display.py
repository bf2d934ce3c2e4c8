"""The daemon on a terminal: the log, and under it one live line or progress bar."""

import io
import time
from collections.abc import Callable
from types import TracebackType
from typing import IO, Self, cast

from rich.console import Console, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from classifyd.cli.progress import Rate, ended, known, line
from classifyd.core.values import Progress


class Display:
    """Shows each progress it is given in place of the one before. It has no thread of its own."""

    def __init__(self, console: Console, bar: bool, clock: Callable[[], float] = time.monotonic) -> None:
        self.stream = cast(IO[str], _AboveLive(console))
        self._live = Live(
            console=console, auto_refresh=False, transient=True, redirect_stdout=False, redirect_stderr=False
        )
        self._bar = bar
        self._rate = Rate()
        self._clock = clock

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def show(self, progress: Progress) -> None:
        rate = self._rate.update(self._clock(), ended(progress))
        text = Text(line(progress, rate), no_wrap=True, overflow="ellipsis")
        self._live.update(_with_bar(progress, text) if self._bar else text, refresh=True)


def _with_bar(progress: Progress, text: Text) -> RenderableType:
    table = Table.grid(padding=(0, 1))
    bar = ProgressBar(total=max(known(progress), 1), completed=ended(progress), width=30)
    table.add_row(bar, Text(f"{ended(progress):,}/{known(progress):,}"), text)
    return table


class _AboveLive(io.TextIOBase):
    """A stream whose lines appear above the live line. Safe from any thread, as the console is."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def isatty(self) -> bool:
        return self._console.is_terminal

    def write(self, text: str) -> int:
        self._console.print(Text.from_ansi(text.rstrip("\n")), soft_wrap=True)
        return len(text)
