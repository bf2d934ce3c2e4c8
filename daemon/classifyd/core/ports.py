"""What the parts of the pipeline need of one another and of the adapters."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from classifyd.core.errors import ClassifierError, PublishError
from classifyd.core.values import (
    Delivery,
    Filter,
    Image,
    Message,
    ModelInfo,
    PartState,
    Pending,
    Prediction,
    Rejected,
    Result,
)


class Part(Protocol):
    """The health of one named part of the daemon; only changes are logged."""

    def up(self, detail: str = "") -> None:
        """It works."""

    def down(self, reason: str) -> None:
        """It does not work now, and will again by itself: `reason` says what and what to do."""


class Service(Protocol):
    """A loop that its own thread runs. The supervisor owns the thread."""

    @property
    def name(self) -> str:
        """The thread's name."""

    def run(self) -> None:
        """Works until stopped. Anything it raises stops the daemon."""

    def stop(self) -> None:
        """Asks it to end what it has begun and return from `run`. Never blocks; may be called twice."""


class Source(Service, Protocol):
    """Brings pictures. Made with `once`, `run` returns by itself when what was there is worked off."""

    @property
    def unhandled(self) -> int:
        """What a single run has left when it has ended, in pictures: it comes again in the next."""

    def drain(self) -> None:
        """Asks it to take nothing new but to go on settling. Never blocks; `stop` follows later."""


class Inlet(Protocol):
    """A lane of a model's intake, as a source sees it. Credits bound what is under way."""

    def reserve(self, size: int, timeout: float = 0.0) -> bool:
        """Takes one item's and `size` bytes' credit, waiting `timeout` seconds at most, and in bulk a few
        milliseconds where requests come; before the picture is read. False when there is
        none, or while the model is away. A size above the whole capacity counts as the capacity."""

    def release(self, size: int) -> None:
        """Gives back what `reserve(size)` took; after the picture is settled, or was not offered."""

    def offer(self, *deliveries: Delivery) -> None:
        """Hands pictures over, each under a credit: several at once cost less. Never blocks."""

    @property
    def closed(self) -> str | None:
        """Why nothing is taken now (the model is away, the daemon stops), or None."""


class Classifier(Protocol):
    """A model behind an engine. `classify` may be called by several threads at once."""

    @property
    def name(self) -> str:
        """The name it is configured under."""

    def classify(self, images: Sequence[Image]) -> Sequence[Prediction | Rejected | ClassifierError]:
        """An answer for each image, in order: a prediction, evidence against that picture, or an error that
        concerns that picture alone.

        Raises Unavailable, Refused or Failed for the whole batch.
        """

    def probe(self) -> ModelInfo:
        """Asks the model whether it can answer, and what it is. Raises Unavailable, or ConfigurationError
        when it answers but does not fit (labels unlike its outputs)."""

    def close(self) -> None:
        """Gives its resources back."""


class Ledger(Protocol):
    """What is recorded already. Safe from any thread."""

    def known(self, keys: Collection[str]) -> Mapping[str, Result]:
        """The recorded results of these origin keys; those not recorded are missing.

        Raises StoreUnavailable."""


class ResultStore(Protocol):
    """The writing side of the database; used by the recorder's thread only."""

    def write(
        self, entries: Sequence[tuple[Result, Sequence[Message]]], published: Sequence[int]
    ) -> list[Result]:
        """In one transaction: inserts each result whose origin is new, with its messages to the outbox, and
        marks the outbox positions as published.

        Returns, for each entry in order, the result that is recorded for its origin now: the same object
        if it was inserted, an equal-origin earlier one otherwise.
        Raises StoreUnavailable (nothing was written) or UnstorableRow (likewise).
        """

    def prune_outbox(self, before: datetime, limit: int) -> int:
        """Deletes up to `limit` outbox rows that were published before then; returns how many."""


class Outbox(Protocol):
    """The reading side of the outbox; used by the relay's thread only."""

    def pending(self, after: Mapping[str, int], exclude: Collection[str], max_bytes: int) -> list[Pending]:
        """Unpublished messages by position: those past `after[topic]` (0 where absent), of no excluded
        topic, up to `max_bytes` of keys, headers and values, at least one message. Raises
        StoreUnavailable."""

    def count(self) -> int:
        """How many messages wait."""


class Publisher(Protocol):
    """Sends messages to the broker; used by the relay's thread only."""

    def publish(self, messages: Sequence[Pending], timeout: float) -> Mapping[int, PublishError | None]:
        """Sends in order and waits `timeout` seconds at most for the acknowledgements.

        Returns, for each position, None when acknowledged, or what happened: PublishUnavailable to try
        again, MessageTooLarge never to. After a message of a topic fails, later ones of that topic in the
        call are not acknowledged as published before it (order per topic is kept).
        """

    def close(self, timeout: float) -> None:
        """Ends its connection within `timeout` seconds."""


class Results(Protocol):
    """Reads results for people. Safe from any thread. Each raises StoreUnavailable."""

    def get(self, result_id: str) -> Result | None:
        """The result of this id, or None."""

    def page(self, wanted: Filter, limit: int, before: str | None = None) -> list[Result]:
        """Up to `limit` results, newest first; `before` is the id of the last one seen, or None."""


class Model(Protocol):
    """A configured model, as the HTTP routes see it."""

    @property
    def name(self) -> str: ...

    @property
    def engine(self) -> str: ...

    @property
    def inlet(self) -> Inlet:
        """The interactive lane."""

    @property
    def info(self) -> ModelInfo | None:
        """What the model last said of itself, or None before it answered once."""

    @property
    def away(self) -> str | None:
        """Why it cannot be asked now, or None."""


class Health(Protocol):
    """The state of every part of the daemon. Safe from any thread."""

    def parts(self) -> Mapping[str, PartState]:
        """By name, in the order of registration."""

    @property
    def ready(self) -> bool:
        """Whether every part is up and the daemon is not stopping."""
