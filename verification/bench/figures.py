"""Figures: what was measured, against what in the same run, and whether the target is met."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

import orjson
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Target:
    """A bound on a figure's ratio, or on its value where it has no other side."""

    bound: float
    at_least: bool

    def met_by(self, value: float) -> bool:
        return value >= self.bound if self.at_least else value <= self.bound

    def __str__(self) -> str:
        return f"{'≥' if self.at_least else '≤'} {self.bound:g}"


def at_least(bound: float) -> Target:
    return Target(bound, at_least=True)


def at_most(bound: float) -> Target:
    return Target(bound, at_least=False)


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table. `value` and `against` are in `unit`; `ratio` is the median of the rounds' own
    ratios, since only sides that ran one after the other compare."""

    name: str
    unit: str
    value: float
    against: float | None = None
    ratio: float | None = None
    target: Target | None = None

    @property
    def met(self) -> bool | None:
        """None where there is no target."""
        if self.target is None:
            return None
        return self.target.met_by(self.value if self.ratio is None else self.ratio)

    def as_json(self) -> dict[str, Any]:
        target = None if self.target is None else str(self.target)
        return {**asdict(self), "target": target, "met": self.met}


@dataclass(frozen=True, slots=True)
class Measurement:
    """What was found under a name, and how long it took."""

    name: str
    figures: tuple[Figure, ...]
    seconds: float


Measured = Callable[[], float]


def side_by_side(name: str, unit: str, one: Measured, other: Measured, rounds: int, target: Target) -> Figure:
    """Measures both sides alternately, each round in the other order, and gives the median of the ratios."""
    ones: list[float] = []
    others: list[float] = []
    for number in range(rounds):
        for side, values in ((one, ones), (other, others))[:: -1 if number % 2 else 1]:
            values.append(side())
    ratio = median(one / other for one, other in zip(ones, others, strict=True))
    return Figure(name, unit, median(ones), median(others), ratio, target)


def table(measurement: Measurement) -> Table:
    """For a person."""
    drawn = Table("what", "unit", "value", "against", "ratio", "target", "", box=None, pad_edge=False)
    for figure in measurement.figures:
        mark = {None: "", True: "met", False: "[bold red]missed[/]"}[figure.met]
        target = "" if figure.target is None else str(figure.target)
        numbers = (_text(figure.value), _text(figure.against), _text(figure.ratio))
        drawn.add_row(figure.name, figure.unit, *numbers, target, mark)
    return drawn


def as_json(measurements: Sequence[Measurement]) -> bytes:
    told = [
        {"name": one.name, "seconds": one.seconds, "figures": [figure.as_json() for figure in one.figures]}
        for one in measurements
    ]
    return orjson.dumps(told, option=orjson.OPT_INDENT_2)


def _text(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
