"""Which of kafka-python's options may be set in `[kafka.consumer]` and `[kafka.producer]` (kafka-python 3.0).

Written down, because settings do not know the library; a test holds them to it.
"""

from difflib import get_close_matches
from typing import Any
from urllib.parse import urlsplit

_BOTH = frozenset(
    {
        "api_version",
        "client_dns_lookup",
        "connections_max_idle_ms",
        "metadata_max_age_ms",
        "metrics_enabled",
        "metrics_num_samples",
        "metrics_sample_window_ms",
        "proxy_url",
        "receive_buffer_bytes",
        "receive_message_max_bytes",
        "reconnect_backoff_max_ms",
        "reconnect_backoff_ms",
        "request_timeout_ms",
        "retry_backoff_ms",
        "send_buffer_bytes",
        "socket_options",
        "socks5_proxy",
    }
)
CONSUMER = _BOTH | {
    "check_crcs",
    "client_rack",
    "enable_incremental_fetch_sessions",
    "exclude_internal_topics",
    "fetch_max_wait_ms",
    "fetch_min_bytes",
    "heartbeat_interval_ms",
    "max_poll_interval_ms",
    "max_poll_records",
    "metric_group_prefix",
}
MEMBERS_ONLY = frozenset({"heartbeat_interval_ms", "max_poll_interval_ms"})
"""Options that only members of a group heed; kafka-python holds them against `session_timeout_ms`."""
PRODUCER = _BOTH | {
    "batch_size",
    "compression_type",
    "delivery_timeout_ms",
    "linger_ms",
    "max_block_ms",
}
SET_ELSEWHERE = {
    "bootstrap_servers": "kafka.bootstrap_servers",
    "client_id": "kafka.client_id",
    "group_id": "kafka.input.group_id",
    "session_timeout_ms": "kafka.input.session_timeout",
    "auto_commit_interval_ms": "kafka.input.commit_interval",
}
# Whatever is not named here is an object, which a file cannot hold.
DAEMONS_OWN = frozenset(
    {
        "acks",
        "allow_auto_create_topics",
        "auto_offset_reset",
        "bootstrap_timeout_ms",
        "consumer_timeout_ms",
        "enable_auto_commit",
        "enable_idempotence",
        "fetch_max_bytes",
        "group_instance_id",
        "isolation_level",
        "max_in_flight_requests_per_connection",
        "max_partition_fetch_bytes",
        "max_request_size",
        "partition_assignment_strategy",
        "retries",
        "transaction_timeout_ms",
        "transactional_id",
    }
)

_PROXIES = frozenset({"proxy_url", "socks5_proxy"})
_PROXY_SCHEMES = frozenset({"http", "socks5", "socks5h"})


def require(options: dict[str, Any], allowed: frozenset[str], connection: frozenset[str]) -> dict[str, Any]:
    """The options, if each may be set. `connection` names those that belong to every connection.

    Raises ValueError for the first that may not, with where it belongs, or the nearest name that exists.
    """
    for key in options:
        if key in SET_ELSEWHERE:
            raise ValueError(f"{key} does not belong here: set {SET_ELSEWHERE[key]} instead")
        if key in connection:
            raise ValueError(f"{key} does not belong here: set kafka.{key}, for every connection, instead")
        if key in DAEMONS_OWN:
            raise ValueError(f"{key} must be set by the daemon itself, or pictures could be lost: remove it")
        if key in _PROXIES and not _is_proxy(options[key]):
            raise ValueError(
                f"{key} is no address such as socks5://proxy.example:1080 or http://proxy.example:3128"
            )
        if key not in allowed:
            near = get_close_matches(key, sorted(allowed), n=1, cutoff=0)[0]
            raise ValueError(f"{key} is no option that can be set; the nearest known one is {near}")
    return options


def _is_proxy(address: object) -> bool:
    """Whether kafka-python can use it; it would repeat one that it cannot, with the password."""
    try:
        parts = urlsplit(address) if isinstance(address, str) else None
        return parts is not None and parts.scheme in _PROXY_SCHEMES and bool(parts.hostname and parts.port)
    except ValueError:  # a port that is no number, brackets that do not match
        return False
