"""Feeds a world, and remembers what was put in."""

import os
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from verification.faults.crash.pictures import Kind, picture
from verification.faults.crash.plan import Feed, Variant
from verification.faults.crash.site import Site
from verification.faults.evidence import sha256
from verification.faults.oracle import Dropped, Inputs, Produced


class Feeder:
    """Drops into `inbox`, by way of `staging` on the same file system, and produces to `topic`."""

    def __init__(self, variant: Variant, inbox: Path, staging: Path, site: Site, topic: str) -> None:
        self._variant = variant
        self._inbox = inbox
        self._staging = staging
        self._site = site
        self._topic = topic
        self._count = 0
        self._dropped: list[Dropped] = []
        self._produced: list[Produced] = []
        self.ends: dict[int, int] = {}
        """By partition, the offset behind the last record, tombstones too."""

    @property
    def inputs(self) -> Inputs:
        """All that was put in so far."""
        return Inputs(tuple(self._dropped), tuple(self._produced))

    @property
    def expected(self) -> int:
        """How many rows there must be in the end."""
        return len(self._dropped) + len(self._produced)

    def feed(self, feeds: Sequence[Feed]) -> None:
        """Puts pictures in; the records among them are acknowledged when it returns."""
        records: list[tuple[Feed, bytes | None]] = []
        for feed in feeds:
            self._count += 1
            data = picture(feed.kind, self._count)
            if feed.partition is not None:
                records.append((feed, data))
            elif data is not None:
                self._drop(feed, data)
        if records:
            self._produce(records)

    def _drop(self, feed: Feed, data: bytes) -> None:
        staged = self._staging / str(self._count)
        staged.write_bytes(data)
        relative = self._free_name(feed)
        target = self._inbox / relative
        target.parent.mkdir(parents=True, exist_ok=True)
        good = feed.kind.good(self._variant.model_looks)
        self._dropped.append(Dropped(_as_text(relative), sha256(data), good))
        if self._count % 2:  # one way closes a file for the watcher, the other creates one
            staged.rename(target)
        else:
            os.link(staged, target)
            staged.unlink()

    def _free_name(self, feed: Feed) -> str:
        """The wanted name again and again, unless it lies in the inbox just now: nobody overwrites his own
        picture. What is over the limit is never read, so that its row is known by its path alone."""
        unique = feed.kind is Kind.TOO_LARGE or self._variant.after == "keep"
        if not unique and not os.path.lexists(self._inbox / feed.name):
            return feed.name
        path = PurePosixPath(feed.name)
        return str(path.with_name(f"{path.stem}-{self._count}{path.suffix}"))

    def _produce(self, records: Sequence[tuple[Feed, bytes | None]]) -> None:
        first = self._count - len(records)
        sent = [
            (feed.partition or 0, f"record {first + place}".encode(), data)
            for place, (feed, data) in enumerate(records)
        ]
        offsets = self._site.produce(self._topic, sent)
        for offset, (feed, data), (partition, _key, _value) in zip(offsets, records, sent, strict=True):
            self.ends[partition] = max(self.ends.get(partition, 0), offset + 1)
            if data is not None:
                good = feed.kind.good(self._variant.model_looks)
                self._produced.append(Produced(partition, offset, sha256(data), good))


def _as_text(relative: str) -> str:
    """As the design says that names are told: `%` and control characters percent-encoded."""
    return "".join(f"%{ord(one):02X}" if one == "%" or one < " " else one for one in relative)
