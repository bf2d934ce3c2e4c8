"""A lane: a process that plays worlds one after the other, beside other lanes."""

import traceback
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from uuid import uuid4

from verification.faults.crash.plan import Plan, Round
from verification.faults.crash.site import Address, Site
from verification.faults.crash.world import Violated, World
from verification.faults.crash.zygote import Zygote


@dataclass(slots=True)
class Report:
    """What a world's rounds came to. `broken` tells each violation, ready to print."""

    rounds: int = 0
    lives: int = 0
    pictures: int = 0
    duplicates: int = 0
    hits: Counter[str] = field(default_factory=Counter)
    missed: Counter[str] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        deaths = self.hits.total()
        return f"{self.rounds} rounds, {self.lives} lives, {deaths} crashes, {len(self.broken)} violations"

    def count(self, world: World) -> None:
        """Counts a world in."""
        self.lives += world.lives
        self.pictures += world.feeder.expected
        self.duplicates += world.duplicates
        self.hits += world.hits
        self.missed += world.missed

    def add(self, other: "Report") -> None:
        """Counts another one's in."""
        self.rounds += other.rounds
        self.lives += other.lives
        self.pictures += other.pictures
        self.duplicates += other.duplicates
        self.hits += other.hits
        self.missed += other.missed
        self.broken += other.broken


def play(
    address: Address, seed: int, worlds: Iterable[tuple[int, int]], report: Callable[[Report], None]
) -> None:
    """Plays worlds (each by its number, with so many rounds) and reports after each."""
    with Site(address) as site, Zygote() as zygote:
        for number, rounds in worlds:
            report(_play_world(site, zygote, seed, number, rounds))


def _play_world(site: Site, zygote: Zygote, seed: int, number: int, rounds: int) -> Report:
    report = Report()
    plan = Plan(seed, number)
    try:
        with World(plan, f"crash-{seed}-{number}-{uuid4().hex[:6]}", site, zygote) as world:
            for one in plan.rounds(rounds):
                report.rounds += 1
                try:
                    world.play(one)
                except Exception as error:  # noqa: BLE001 - told with its round; the world stays as it is
                    report.broken.append(_told(seed, number, report.rounds, world, one, error))
                    break
            report.count(world)
    except Exception as error:  # noqa: BLE001 - no world's end may end the others
        report.broken.append(f"seed {seed}, world {number}: {''.join(traceback.format_exception(error))}")
    if not report.broken:
        world.remove()
    return report


def _told(seed: int, number: int, round_number: int, world: World, one: Round, error: Exception) -> str:
    what = str(error) if isinstance(error, Violated) else "".join(traceback.format_exception(error))
    lives = "\n".join(f"  {life.point}:{life.passing} {life}" for life in one.lives)
    return (
        f"seed {seed}, world {number}, round {round_number}, life {world.lives}, kept in {world.folder}\n"
        + "\n".join(f"  {line}" for line in what.splitlines())
        + f"\n  {world.variant}\n{lives}"
    )
