"""How the topic is consumed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

BOOTSTRAP_TIMEOUT_MS = 5_000
METADATA_MAX_AGE_MS = 30_000
RECONNECT_BACKOFF_MAX_MS = 5_000
FETCH_BYTES = 8 * 2**20
"""What one fetch brings, unless its first batch alone is larger. With more, each of kafka-python's copies
would be made in memory that the system has to find and clear first."""
MAX_POLL_RECORDS = 500
"""What is handed over between two polls: commits, and a request to stop, wait for it at most."""
HEARTBEATS_PER_SESSION = 4
LONGEST_HEARTBEAT = 3.0


@dataclass(frozen=True, slots=True)
class KafkaConfig:
    """Where and how records are read.

    `connection` holds kafka-python's arguments for every client (addresses, client id, security),
    `consumer` further ones for this consumer. Times are in seconds. `max_batch_bytes` is what a producer's
    batch may hold, compressed or not.
    """

    connection: Mapping[str, Any] = field(repr=False)
    topic: str
    group_id: str = "classifyd"
    commit_interval: float = 1.0
    session_timeout: float = 45.0
    max_batch_bytes: int = 32 * 2**20
    consumer: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def servers(self) -> str:
        """The addresses, for people."""
        servers = self.connection["bootstrap_servers"]
        return servers if isinstance(servers, str) else ", ".join(servers)

    @property
    def max_unpacked_bytes(self) -> int:
        """What a fetch of a partition may become once it is decompressed: a CloudEvent in the structured mode
        holds its picture in base64, a third larger, and compressed to its own size again."""
        return 2 * self.max_batch_bytes

    def arguments(self, instance: str) -> dict[str, Any]:
        """KafkaConsumer's arguments. `instance` makes it a static member, which gets its partitions back
        at once after a crash (KIP-345).

        Without a reset policy of the client's own, each reset passes through the source and is told.
        """
        heartbeat = min(LONGEST_HEARTBEAT, self.session_timeout / HEARTBEATS_PER_SESSION)
        return {
            "bootstrap_timeout_ms": BOOTSTRAP_TIMEOUT_MS,
            "metadata_max_age_ms": METADATA_MAX_AGE_MS,
            "reconnect_backoff_max_ms": RECONNECT_BACKOFF_MAX_MS,
            "metrics_enabled": False,
            "max_poll_records": MAX_POLL_RECORDS,
            "heartbeat_interval_ms": int(heartbeat * 1000),
            **self.consumer,
            **self.connection,
            "group_id": self.group_id,
            "group_instance_id": instance,
            "enable_auto_commit": False,
            "auto_offset_reset": "none",
            "isolation_level": "read_committed",
            "allow_auto_create_topics": False,
            "session_timeout_ms": int(self.session_timeout * 1000),
            "fetch_max_bytes": FETCH_BYTES,
            "max_partition_fetch_bytes": FETCH_BYTES,
        }
