"""What the worlds of one lane share: the broker, a producer, and a model that answers at once."""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from kafka import KafkaAdminClient, KafkaProducer
from kafka.errors import BrokerResponseError

_ACKNOWLEDGED = 120.0


@dataclass(frozen=True, slots=True)
class Address:
    """Where things are: `servers` the broker, `model` the model server, `folder` the worlds, `elsewhere` a
    folder on another file system, or None where there is no other."""

    servers: str
    model: str
    folder: Path
    elsewhere: Path | None


class Site:
    """One lane's connections."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self.admin = KafkaAdminClient(**self.connection)
        self._producer = KafkaProducer(**self.connection, acks="all", linger_ms=0)
        self._await_coordinator()

    @property
    def connection(self) -> dict[str, Any]:
        """kafka-python's arguments."""
        return {"bootstrap_servers": self.address.servers}

    def make_topics(self, topics: Mapping[str, int], configs: Mapping[str, dict[str, str]]) -> None:
        """Topics with their numbers of partitions."""
        self.admin.create_topics(
            {
                name: {"num_partitions": count, "replication_factor": 1, "configs": configs.get(name, {})}
                for name, count in topics.items()
            },
            wait_for_metadata=True,
        )

    def delete_topics(self, names: Iterable[str]) -> None:
        self.admin.delete_topics(list(names))

    def produce(self, topic: str, records: Iterable[tuple[int, bytes, bytes | None]]) -> list[int]:
        """Sends records (partition, key, value); their offsets, once all are acknowledged."""
        futures = [
            self._producer.send(topic, value, key=key, partition=partition)
            for partition, key, value in records
        ]
        self._producer.flush()
        return [future.get(timeout=_ACKNOWLEDGED).offset for future in futures]

    def _await_coordinator(self) -> None:
        """A new broker makes the topic of the groups' offsets when it is first asked for one."""
        deadline = time.monotonic() + _ACKNOWLEDGED
        while True:
            try:
                self.admin.list_group_offsets("nobody")
            except BrokerResponseError as error:
                if not error.retriable or time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
            else:
                return

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._producer.close(timeout=5)
        self.admin.close()
