"""The Kafka source: keeps a consumer connected."""

import threading
import time
from collections.abc import Callable
from datetime import datetime

from kafka import KafkaConsumer
from kafka.errors import FencedInstanceIdError, KafkaError

from classifyd.core.backoff import Backoff
from classifyd.core.errors import ConfigurationError
from classifyd.core.gate import Limits
from classifyd.core.ports import Inlet, Part
from classifyd.kafka_python import opened
from classifyd.sources.kafka import client
from classifyd.sources.kafka.config import KafkaConfig
from classifyd.sources.kafka.handover import Handover
from classifyd.sources.kafka.session import Session
from classifyd.sources.kafka.unreadable import UNREADABLE, advice

LONGEST_WAIT = 15.0
"""Seconds between two attempts to connect, at most. A session that held longer was sound: the first delay
after it is the shortest again."""


class KafkaSource:
    """A `core.ports.Source`. While the broker is away it waits, tells so through its part, and resumes.

    `instance` names the static member of the group. With `once`, `run` ends when everything that lay in
    the topic is settled and committed, and raises ConfigurationError when broker or topic are missing.
    """

    name = "kafka"

    def __init__(
        self,
        config: KafkaConfig,
        inlet: Inlet,
        instance: str,
        part: Part,
        limits: Limits,
        clock: Callable[[], datetime],
        once: bool = False,
    ) -> None:
        self._config = config
        self._inlet = inlet
        self._instance = instance
        self._part = part
        self._limits = limits
        self._clock = clock
        self._once = once
        self._stopping = threading.Event()
        self._draining = threading.Event()
        self._session: Session | None = None

    @property
    def waiting(self) -> int:
        """Records in the assigned partitions that are not delivered yet."""
        session = self._session
        return 0 if session is None else session.waiting

    @property
    def unhandled(self) -> int:
        """Records that a single run has left, once it has ended."""
        session = self._session
        return 0 if session is None else session.unhandled

    def drain(self) -> None:
        self._draining.set()

    def stop(self) -> None:
        self._draining.set()
        self._stopping.set()

    def run(self) -> None:
        """Consumes until stopped. Raises ConfigurationError for settings that can never work, and when
        another consumer takes this one's place in the group."""
        backoff = Backoff(first=0.5, longest=LONGEST_WAIT)
        while not self._stopping.is_set():
            try:
                self._consume(backoff)
                return
            except FencedInstanceIdError as error:
                raise ConfigurationError(
                    f"another daemon is the member {self._instance} of Kafka group {self._config.group_id}: "
                    "give each daemon a database of its own"
                ) from error
            except KafkaError as error:
                if error.__cause__ is not None and not isinstance(error.__cause__, KafkaError | OSError):
                    raise  # a mistake in our own rebalance listener
                reason = f"Kafka at {self._config.servers}: {error}; {_what_to_do(error)}"
                self._part.down(reason)
                if self._once:
                    raise ConfigurationError(reason) from error
            self._stopping.wait(backoff.next())

    def _consume(self, backoff: Backoff) -> None:
        consumer = opened(KafkaConsumer, self._config.arguments(self._instance))
        began = time.monotonic()
        cluster = client.cluster_id(consumer)
        handover = Handover(self._inlet, self._limits, self._clock, cluster, self._draining)
        self._session = Session(consumer, self._config, handover, self._part, self._once)
        try:
            self._session.run(self._stopping.is_set)
        finally:
            if time.monotonic() - began > LONGEST_WAIT:
                backoff.reset()
            handover.give_up()
            self._session.close()


def _what_to_do(error: KafkaError) -> str:
    if isinstance(error, UNREADABLE):
        return advice(error)
    return "check the broker, and the user, password and certificates in [kafka]"
