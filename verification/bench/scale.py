"""How much is measured: the figures of the documentation, or just enough to see that all of it runs."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Scale:
    """Pictures, rows and seconds of the measurements; each is repeated `rounds` times."""

    rounds: int
    backlog: int
    records: int
    small: int
    large: int
    seconds: float
    delays: int
    long_backlog: int
    crowd: int
    rows: int


FULL = Scale(
    rounds=5,
    backlog=4_000,
    records=4_000,
    small=2_000,
    large=32,
    seconds=2.0,
    delays=150,
    long_backlog=10_000,
    crowd=100_000,
    rows=1_000_000,
)
SHORT = Scale(
    rounds=1,
    backlog=64,
    records=64,
    small=64,
    large=2,
    seconds=0.5,
    delays=5,
    long_backlog=4_000,
    crowd=500,
    rows=2_000,
)
