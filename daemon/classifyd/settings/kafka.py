"""`[kafka]`: the connection under kafka-python's own names, the topic read, and the topic written."""

from typing import Any, Literal

from pydantic import Field, SecretStr, field_validator

from classifyd.settings.secrets import Secret, TableWithSecrets
from classifyd.settings.types import ExistingFile, Interval, Name, Options, Table, Texts

_OWN = frozenset({"bootstrap_servers", "consumer", "producer", "input", "output"})
_SET_ELSEWHERE = {
    "bootstrap_servers": "kafka.bootstrap_servers",
    "client_id": "kafka.client_id",
    "group_id": "kafka.input.group_id",
    "session_timeout_ms": "kafka.input.session_timeout",
    "auto_commit_interval_ms": "kafka.input.commit_interval",
}
_CONSUMER_OWNED = frozenset(
    {
        "allow_auto_create_topics",
        "auto_offset_reset",
        "consumer_timeout_ms",
        "default_offset_commit_callback",
        "enable_auto_commit",
        "fetch_max_bytes",
        "group_instance_id",
        "isolation_level",
        "key_deserializer",
        "max_partition_fetch_bytes",
        "max_poll_records",
        "value_deserializer",
    }
)
_PRODUCER_OWNED = frozenset(
    {
        "acks",
        "delivery_timeout_ms",
        "enable_idempotence",
        "key_serializer",
        "max_request_size",
        "transactional_id",
        "value_serializer",
    }
)


class KafkaInput(Table):
    """`[kafka.input]`: the topic whose records are classified; read from the moment `topic` is set."""

    topic: Name | None = None
    group_id: Name = "classifyd"
    model: Name = "resnet"
    dead_letter_topic: Name | None = None
    commit_interval: Interval = 1.0
    session_timeout: Interval = 45.0


class KafkaOutput(Table):
    """`[kafka.output]`: the topic that outcomes are published to; written from the moment `topic` is set."""

    topic: Name | None = None


class KafkaSettings(TableWithSecrets):
    """`[kafka]`: off while `bootstrap_servers` is empty."""

    bootstrap_servers: Texts = ()
    client_id: Name = "classifyd"
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    sasl_mechanism: Literal["PLAIN", "GSSAPI", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = None
    sasl_plain_username: Name | None = None
    sasl_plain_password: Secret | None = None
    sasl_plain_password_file: ExistingFile | None = None
    sasl_kerberos_name: Name | None = None
    sasl_kerberos_service_name: Name = "kafka"
    sasl_kerberos_domain_name: Name | None = None
    ssl_cafile: ExistingFile | None = None
    ssl_certfile: ExistingFile | None = None
    ssl_keyfile: ExistingFile | None = None
    ssl_password: Secret | None = None
    ssl_password_file: ExistingFile | None = None
    ssl_crlfile: ExistingFile | None = None
    ssl_check_hostname: bool = True
    ssl_ciphers: Name | None = None
    consumer: Options = Field(default_factory=dict)
    producer: Options = Field(default_factory=dict)
    input: KafkaInput = KafkaInput()
    output: KafkaOutput = KafkaOutput()

    @field_validator("bootstrap_servers")
    @classmethod
    def _addresses(cls, servers: tuple[str, ...]) -> tuple[str, ...]:
        for server in servers:
            host, _, port = server.rpartition(":")
            if not host or not port.isdigit():
                raise ValueError(f"{server!r} is not HOST:PORT, such as localhost:9092")
        return servers

    @field_validator("consumer")
    @classmethod
    def _no_owned_consumer_key(cls, options: dict[str, Any]) -> dict[str, Any]:
        return _refuse(options, _CONSUMER_OWNED)

    @field_validator("producer")
    @classmethod
    def _no_owned_producer_key(cls, options: dict[str, Any]) -> dict[str, Any]:
        return _refuse(options, _PRODUCER_OWNED)

    @property
    def enabled(self) -> bool:
        """Whether there is a broker to speak to."""
        return bool(self.bootstrap_servers)

    @property
    def connection(self) -> dict[str, Any]:
        """kafka-python's keyword arguments for every connection, secrets in the clear; without the tables
        `consumer` and `producer`."""
        given = {
            name: value.get_secret_value() if isinstance(value, SecretStr) else value
            for name in KafkaSettings.model_fields.keys() - _OWN
            if not name.endswith("_password_file") and (value := getattr(self, name)) is not None
        }
        paths = {
            name: str(given[name]) for name in given if name.startswith("ssl_") and name.endswith("file")
        }
        return {"bootstrap_servers": list(self.bootstrap_servers), **given, **paths}


def _refuse(options: dict[str, Any], owned: frozenset[str]) -> dict[str, Any]:
    for key in options:
        if key in _SET_ELSEWHERE:
            raise ValueError(f"{key} does not belong here: set {_SET_ELSEWHERE[key]} instead")
        if key in KafkaSettings.model_fields:
            raise ValueError(f"{key} does not belong here: set kafka.{key}, for every connection, instead")
        if key in owned:
            raise ValueError(f"{key} must be set by the daemon itself, or pictures could be lost: remove it")
    return options
