"""What a world and its rounds do, drawn from the seed before anything runs: the same seed, the same plan."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from classifyd.crashpoints import Point
from verification.faults.crash.pictures import Kind

ROUNDS_PER_WORLD = 20
PARTITIONS = 2
NAMES = ("cat.jpg", "dog.jpg", "sub/cat.jpg", "sub/deep/cat.jpg", "odd %\n.jpg")

_STOPPING = frozenset(
    {
        Point.SOURCES_DRAINED,
        Point.WORKERS_ENDED,
        Point.RECORDER_FLUSHED,
        Point.SETTLERS_ENDED,
        Point.RELAY_ENDED,
        Point.DATABASE_CLOSED,
    }
)
_MAKING = frozenset(
    {Point.TABLES_MADE, Point.DATABASE_MIGRATED, Point.INSTANCE_INSERTED, Point.INSTANCE_MADE}
)
_UPGRADING = frozenset({Point.BACKUP_WRITTEN, Point.BACKUP_NAMED, Point.BACKUP_MADE, Point.TABLES_MADE})
_CLAIMING = frozenset(
    {Point.INBOX_LOCKED, Point.CLAIM_FOLDER_MADE, Point.FILE_CLAIMED, Point.CLAIM_FOLDER_REMOVED}
)
_REJECTING = frozenset({Point.CONTENT_WRITTEN, Point.CONTENT_NAMED, Point.SIDECAR_WRITTEN})
_COPYING = frozenset({Point.FILE_COPIED, Point.COPY_NAMED, Point.COPY_SYNCED})
_PLACING = frozenset({Point.PLACEHOLDER_MADE, Point.PLACEHOLDER_MARKED})


@dataclass(frozen=True, slots=True)
class Variant:
    """What is particular about a world."""

    after: Literal["move", "delete", "keep"]
    done_elsewhere: bool
    failed_elsewhere: bool
    links: bool
    model_looks: bool
    upgrade_in: int | None
    """The round in which a later version takes over the database."""
    takers: bool
    """Whether somebody takes the places that are promised to pictures, while the daemon is dead."""
    heirs: bool
    """Whether what a dead daemon claimed is found as another instance's."""
    max_items: int
    max_batch: int


@dataclass(frozen=True, slots=True)
class Feed:
    """A picture on its way: into the inbox under `name`, or into the topic's `partition`."""

    kind: Kind
    name: str = ""
    partition: int | None = None


@dataclass(frozen=True, slots=True)
class Life:
    """One start of the daemon, that is to end at a point's n-th passing."""

    point: Point
    passing: int
    early: tuple[Feed, ...]
    """What is fed before the daemon is started."""
    late: tuple[Feed, ...]
    """What is fed while it runs."""
    patience: float
    """Seconds until it is ended, if it did not pass its point and all is worked off."""
    by_signal: bool
    """Whether it is asked to end in order then, on the way to points of stopping."""

    @property
    def stops(self) -> bool:
        """Whether its point is passed only when the daemon is stopped."""
        return self.point in _STOPPING


@dataclass(frozen=True, slots=True)
class Round:
    """Lives that crash, then one that works everything off."""

    lives: tuple[Life, ...]
    upgrades: bool
    orderly: bool
    """Whether the last life is ended by SIGTERM, otherwise by SIGKILL."""


class Plan:
    """A world's plan. `seed` and `world` make it what it is."""

    def __init__(self, seed: int, world: int) -> None:
        self._random = random.Random(f"{seed}/{world}")
        self.variant = self._variant()

    def rounds(self, count: int) -> Iterator[Round]:
        """The first rounds, in order; to be taken once."""
        for number in range(count):
            yield self._round(number)

    def _variant(self) -> Variant:
        draw = self._random
        after = draw.choices(("move", "delete", "keep"), (7, 1, 1))[0]
        return Variant(
            after=after,
            done_elsewhere=draw.random() < 0.4,
            failed_elsewhere=draw.random() < 0.3,
            links=draw.random() < 0.8,
            model_looks=draw.random() < 0.2,
            upgrade_in=draw.randrange(ROUNDS_PER_WORLD) if draw.random() < 0.25 else None,
            takers=draw.random() < 0.5,
            heirs=draw.random() < 0.3,
            max_items=draw.choice((2, 8, 1024)),
            max_batch=draw.choice((1, 4, 32)),
        )

    def _round(self, number: int) -> Round:
        draw = self._random
        upgrades = number == self.variant.upgrade_in
        lives = []
        for _ in range(draw.choices((1, 2, 3), (6, 3, 1))[0]):
            lives.append(self._life(first=number == 0 and not lives, upgrades=upgrades and not lives))
        return Round(tuple(lives), upgrades, orderly=draw.random() < 0.25)

    def _life(self, first: bool, upgrades: bool) -> Life:
        draw = self._random
        point = draw.choice(self._points(first, upgrades))
        return Life(
            point=point,
            passing=draw.choices((1, 2, 3, 5), (6, 2, 1, 1))[0],
            early=tuple(self._feed() for _ in range(draw.randrange(5))),
            late=tuple(self._feed() for _ in range(draw.randrange(5))),
            patience=draw.uniform(0.0, 0.5),
            by_signal=draw.random() < 0.5,
        )

    def _points(self, first: bool, upgrades: bool) -> list[Point]:
        """The points that this life may pass; those that only a few lives pass are preferred there."""
        variant = self.variant
        if first and self._random.random() < 0.6:
            return sorted(_MAKING)
        if upgrades:
            return sorted(_UPGRADING)
        points = set(Point) - _MAKING - _UPGRADING
        if variant.after == "keep":
            points -= _CLAIMING | _REJECTING | {Point.FILE_MOVED, Point.FILE_LINKED, Point.MOVE_BEGUN}
        if variant.after != "delete":
            points -= {Point.FILE_DELETED}
        if variant.after == "keep" or not variant.heirs:
            points -= {Point.CLAIM_TAKEN_OVER}
        if variant.after == "keep" or not variant.takers:
            points -= {Point.SIDECAR_WITHDRAWN}
        if variant.after == "keep" or not (variant.done_elsewhere or variant.failed_elsewhere):
            points -= _COPYING
        if variant.after == "keep" or variant.links:
            points -= _PLACING
        return sorted(points)

    def _feed(self) -> Feed:
        draw = self._random
        if draw.random() < 0.5:
            kinds = (Kind.SOUND, Kind.LARGE, Kind.TEXT, Kind.TRUNCATED, Kind.TOO_LARGE)
            kinds += (Kind.TOO_MANY_PIXELS, Kind.UNDECODABLE)
            return Feed(draw.choices(kinds, (10, 1, 2, 2, 1, 1, 1))[0], name=draw.choice(NAMES))
        kinds = (Kind.SOUND, Kind.LARGE, Kind.TEXT, Kind.TRUNCATED, Kind.TOO_LARGE, Kind.TOO_MANY_PIXELS)
        kinds += (Kind.UNDECODABLE, Kind.EMPTY, Kind.TOMBSTONE)
        kind = draw.choices(kinds, (10, 1, 2, 1, 2, 1, 1, 1, 2))[0]
        return Feed(kind, partition=draw.randrange(PARTITIONS))
