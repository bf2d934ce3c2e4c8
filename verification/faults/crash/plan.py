"""What a world and its rounds do, drawn from the seed before anything runs: the same seed, the same plan."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from classifyd.crashpoints import Point
from verification.faults.crash.pictures import Kind

ROUNDS_PER_WORLD = 20
PARTITIONS = 2
NAMES = ("cat.jpg", "dog.jpg", "sub/cat.jpg", "sub/deep/cat.jpg", "odd %\n.jpg")

_STOPPING = (
    Point.SOURCES_DRAINED,
    Point.WORKERS_ENDED,
    Point.RECORDER_FLUSHED,
    Point.SETTLERS_ENDED,
    Point.RELAY_ENDED,
    Point.DATABASE_CLOSED,
)
_MAKING = (Point.TABLES_MADE, Point.DATABASE_MIGRATED, Point.INSTANCE_INSERTED, Point.INSTANCE_MADE)
_UPGRADING = (Point.BACKUP_WRITTEN, Point.BACKUP_NAMED, Point.BACKUP_MADE, Point.TABLES_MADE)
_ONCE = frozenset(
    {
        *_STOPPING,
        *_MAKING,
        *_UPGRADING,
        Point.FOLDER_TRIED,
        Point.INBOX_LOCKED,
        Point.CLAIM_TAKEN_OVER,
        Point.PARTITIONS_ASSIGNED,
    }
)
"""Passed once in a life, or hardly ever more often."""
_REJECTING = (Point.CONTENT_WRITTEN, Point.CONTENT_NAMED, Point.SIDECAR_WRITTEN, Point.SIDECAR_WITHDRAWN)
_COPYING = (Point.FILE_COPIED, Point.COPY_NAMED, Point.COPY_SYNCED)
_PLACING = (Point.PLACEHOLDER_MADE, Point.PLACEHOLDER_MARKED)
_ACROSS = (Point.PLACEHOLDER_REMOVED, *_COPYING)
_MOVING = (
    Point.CLAIM_FOLDER_MADE,
    Point.FILE_CLAIMED,
    Point.MOVE_BEGUN,
    Point.PLACE_FOLDER_MADE,
    Point.FILE_LINKED,
    Point.FILE_MOVED,
    Point.CLAIM_FOLDER_REMOVED,
    *_REJECTING,
    *_COPYING,
    *_PLACING,
    Point.PLACEHOLDER_REMOVED,
)
_OF_FILES = frozenset({Point.FILE_READ, Point.FILE_DELETED, *_MOVING})
_OF_RECORDS = frozenset({Point.RECORDS_READ, Point.RECORDS_HELD, Point.RECORD_SETTLED})
_FILES = (
    (
        Kind.SOUND,
        Kind.LARGE,
        Kind.TEXT,
        Kind.TRUNCATED,
        Kind.TOO_LARGE,
        Kind.TOO_MANY_PIXELS,
        Kind.UNDECODABLE,
    ),
    (10, 1, 2, 2, 1, 1, 1),
)
_RECORDS = ((*_FILES[0], Kind.EMPTY, Kind.TOMBSTONE), (10, 1, 2, 1, 2, 1, 1, 1, 2))
"""Kinds, and how often each is fed."""
_PARTICULAR = 4
"""So much more often than others are points picked that only some worlds pass."""


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
    """Whether it is asked to end in order then."""
    robbed: bool
    """Whether somebody took the places that were promised to pictures before."""
    inherits: bool
    """Whether what was claimed before is found as another instance's."""

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
        self.variant = self._variant(world)

    def rounds(self, count: int) -> Iterator[Round]:
        """The first rounds, in order; to be taken once."""
        for number in range(count):
            yield self._round(number)

    def _variant(self, world: int) -> Variant:
        """By turns, so that a few worlds hold everything, in ever other company."""
        draw = self._random
        after: Literal["move", "delete", "keep"] = "move"
        if world % 7 in (3, 5):
            after = "delete" if world % 7 == 3 else "keep"
        return Variant(
            after=after,
            done_elsewhere=world % 3 == 1,
            failed_elsewhere=world % 5 == 2,
            links=world % 4 != 2,
            model_looks=world % 5 == 3,
            upgrade_in=draw.randrange(1, ROUNDS_PER_WORLD) if world % 2 else None,
            takers=world % 2 == 0,
            heirs=world % 3 == 0,
            max_items=draw.choice((2, 8, 1024)),
            max_batch=draw.choice((1, 4, 32)),
        )

    def _round(self, number: int) -> Round:
        draw = self._random
        upgrades = number == self.variant.upgrade_in
        if upgrades:
            points = draw.sample(_UPGRADING, 3)
        elif number == 0:
            points = [point for point in _MAKING if draw.random() < 0.6]
        else:
            points = draw.choices(*self._general(), k=draw.choices((1, 2, 3), (6, 3, 1))[0])
        lives = [life for point in points for life in self._towards(point)]
        return Round(tuple(lives), upgrades, orderly=draw.random() < 0.25)

    def _general(self) -> tuple[list[Point], list[int]]:
        """The points that any life of this world may pass, and how often each is picked."""
        variant = self.variant
        particular = set(self._particular())
        never = {*_MAKING, *_UPGRADING} - {Point.DATABASE_MIGRATED, Point.INSTANCE_MADE}
        never |= {Point.CLAIM_TAKEN_OVER, Point.SIDECAR_WITHDRAWN, Point.FILE_DELETED, *_ACROSS, *_PLACING}
        if variant.after == "keep":
            never |= {*_MOVING, Point.INBOX_LOCKED, Point.FOLDER_TRIED}
        if not variant.links:
            never |= {Point.FILE_LINKED}
        points = sorted((set(Point) - never) | particular)
        return points, [_PARTICULAR if point in particular else 1 for point in points]

    def _particular(self) -> Iterator[Point]:
        """The points that only worlds like this one pass."""
        variant = self.variant
        if variant.after == "keep":
            return
        if variant.heirs:
            yield Point.CLAIM_TAKEN_OVER
        if variant.takers:
            yield Point.SIDECAR_WITHDRAWN
        if variant.after == "delete":
            yield Point.FILE_DELETED
        if not variant.links:
            yield from _PLACING
        if variant.failed_elsewhere or (variant.done_elsewhere and variant.after == "move"):
            yield from _COPYING if variant.links else _ACROSS

    def _towards(self, point: Point) -> Iterator[Life]:
        """A life that is to end at a point, after one that ends so that this one can pass it."""
        if point is Point.CLAIM_TAKEN_OVER:
            yield self._life(Point.FILE_CLAIMED)
            yield replace(self._life(point), inherits=True)
        elif point is Point.SIDECAR_WITHDRAWN:
            yield self._life(Point.MOVE_BEGUN, Kind.TEXT)
            yield replace(self._life(point), robbed=True)
        else:
            yield self._life(point)

    def _life(self, point: Point, needed: Kind | None = None) -> Life:
        draw = self._random
        passing = 1 if point in _ONCE else draw.choices((1, 2, 3), (7, 2, 1))[0]
        early = [self._feed() for _ in range(draw.randrange(4))]
        early += [feed for feed in [self._needed(point, needed)] * passing if feed]
        return Life(
            point=point,
            passing=passing,
            early=tuple(draw.sample(early, len(early))),
            late=tuple(self._feed() for _ in range(draw.randrange(4))),
            patience=draw.uniform(0.0, 0.5),
            by_signal=draw.random() < 0.5,
            robbed=self.variant.takers and draw.random() < 0.3,
            inherits=self.variant.heirs and draw.random() < 0.3,
        )

    def _needed(self, point: Point, kind: Kind | None) -> Feed | None:
        """What has to be fed for a point to be passed."""
        draw = self._random
        if point is Point.VALUE_OMITTED:
            return Feed(Kind.TOO_LARGE, partition=draw.randrange(PARTITIONS))
        if point in _OF_RECORDS:
            return Feed(Kind.SOUND, partition=draw.randrange(PARTITIONS))
        if point in _OF_FILES:
            across = point in _ACROSS and self.variant.failed_elsewhere
            within = point is Point.FILE_LINKED and self.variant.done_elsewhere
            failing = point in _REJECTING or across or within
            return Feed(kind or (Kind.TEXT if failing else Kind.SOUND), name=draw.choice(NAMES))
        return None

    def _feed(self) -> Feed:
        draw = self._random
        if draw.random() < 0.5:
            return Feed(draw.choices(*_FILES)[0], name=draw.choice(NAMES))
        return Feed(draw.choices(*_RECORDS)[0], partition=draw.randrange(PARTITIONS))
