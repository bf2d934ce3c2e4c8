"""How messages are sent."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

# socket.request.max.bytes of a broker is 100 MiB by default; above it, it cuts the connection.
_MAX_REQUEST_SIZE = 100 * 2**20 - 64 * 2**10
_BATCH_SIZE = 256 * 2**10
_LINGER_MS = 2
_RECONNECT_BACKOFF_MAX_MS = 5_000


@dataclass(frozen=True, slots=True)
class PublisherConfig:
    """`connection` holds kafka-python's arguments for every client, `producer` further ones."""

    connection: Mapping[str, Any] = field(repr=False)
    producer: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def arguments(self, bootstrap_timeout: float) -> dict[str, Any]:
        """KafkaProducer's arguments. One request at a time keeps the order.

        Not idempotent: kafka-python's idempotent producer fails everything that it holds, whatever the
        topic, with the error of the first message that is too large (3.0.12). What its retries repeat has
        the same `ce_id`.
        """
        return {
            "batch_size": _BATCH_SIZE,
            "linger_ms": _LINGER_MS,
            "metrics_enabled": False,
            "reconnect_backoff_max_ms": _RECONNECT_BACKOFF_MAX_MS,
            **self.producer,
            **self.connection,
            "acks": "all",
            "enable_idempotence": False,
            "max_in_flight_requests_per_connection": 1,
            "allow_auto_create_topics": False,
            "max_request_size": _MAX_REQUEST_SIZE,
            "bootstrap_timeout_ms": int(bootstrap_timeout * 1000),
        }

    @property
    def servers(self) -> str:
        """The addresses, for people."""
        servers = self.connection["bootstrap_servers"]
        return servers if isinstance(servers, str) else ", ".join(servers)
