"""Of which topic fetched records are."""

import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError
from kafka.future import Future

ANSWER = 5.0
"""Seconds that the question may take."""
_OF_NO_POSITION = -1


class Provenance:
    """Has `client.incarnation` and `client.exists` tell what was true after records were fetched.

    kafka-python fetches by a topic's name (3.0.12: Fetch version 12), so what was fetched may be of a topic
    that was created after the metadata came. The broker is asked anew as soon as records come, so that the
    answer is mostly there when they are polled.

    Everything happens on kafka-python's I/O thread; `establish` and `forget` wait for it.
    """

    def __init__(self, consumer: KafkaConsumer) -> None:
        self._consumer = consumer
        self._fetcher = consumer._fetcher
        self._take_up = self._fetcher._handle_fetch_response
        self._fetcher._handle_fetch_response = self._fetched
        self._wanted = False
        self._answers = 0
        """Fetches that were answered."""
        self._known = 0
        """How many of these came before a question that was answered."""
        self._question: Future | None = None
        self._forgotten = float("-inf")
        """What was asked for until then (monotonic) is not wanted any more."""

    def establish(self) -> None:
        """Returns once it is so for all records that were polled. Raises KafkaError while nobody answers,
        after ANSWER seconds for each question at most."""
        self._wanted = True
        if self._known < (answers := self._answers):
            self._consumer._net.run(self._await, answers)

    def forget(self) -> None:
        """Has nothing polled that was asked for before: kafka-python compares offsets alone, and would take
        the first records of a topic that was deleted for the first ones of its successor."""
        self._consumer._net.run(self._forget)

    async def _forget(self) -> None:
        self._forgotten = time.monotonic()
        self._fetcher._completed_fetches.clear()
        self._fetcher.close()  # which empties all else, and does no more in kafka-python 3.0.12

    def _fetched(self, node: Any, asked: Mapping[TopicPartition, int], sent: float, response: Any) -> None:
        self._answers += 1  # before its records can be polled
        if sent <= self._forgotten:
            asked = dict.fromkeys(asked, _OF_NO_POSITION)
        self._take_up(node, asked, sent, response)
        if self._wanted and self._fetcher._completed_fetches:
            self._question = self._consumer._manager.call_soon(self._ask)

    async def _await(self, answers: int) -> None:
        if self._question is not None:
            with suppress(KafkaError):
                await self._question
        if self._known < answers:
            await self._ask()

    async def _ask(self) -> None:
        """Goes over the coordinator's connection: on the others an answer can wait behind a fetch that waits
        for records."""
        answers = self._answers
        cluster, manager = self._consumer._cluster, self._consumer._manager
        node = self._consumer._coordinator.coordinator_id
        answer = await manager.wait_for(manager.send(cluster.metadata_request(), node_id=node), ANSWER * 1000)
        cluster.update_metadata(answer)
        self._known = max(self._known, answers)
