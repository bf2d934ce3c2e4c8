"""`[kafka]`: the connection under kafka-python's own names, the topic read, and the topic written."""

from typing import Any, Literal

from pydantic import Field, SecretStr, field_validator

from classifyd.settings import kafka_options
from classifyd.settings.secrets import Secret, TableWithSecrets
from classifyd.settings.types import ExistingFile, Interval, Name, Options, Table, Texts

_NOT_ARGUMENTS = frozenset({"bootstrap_servers", "consumer", "producer", "input", "output"})


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
    def _consumer_options(cls, options: dict[str, Any]) -> dict[str, Any]:
        return kafka_options.require(options, kafka_options.CONSUMER, _connection_keys())

    @field_validator("producer")
    @classmethod
    def _producer_options(cls, options: dict[str, Any]) -> dict[str, Any]:
        return kafka_options.require(options, kafka_options.PRODUCER, _connection_keys())

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
            for name in _connection_keys()
            if not name.endswith("_password_file") and (value := getattr(self, name)) is not None
        }
        paths = {
            name: str(given[name]) for name in given if name.startswith("ssl_") and name.endswith("file")
        }
        return {"bootstrap_servers": list(self.bootstrap_servers), **given, **paths}

    @property
    def reader(self) -> dict[str, Any]:
        """kafka-python's keyword arguments for a consumer that joins no group: `connection`, and what of
        the table `consumer` concerns it."""
        options = {
            name: value for name, value in self.consumer.items() if name not in kafka_options.MEMBERS_ONLY
        }
        return {**options, **self.connection}


def _connection_keys() -> frozenset[str]:
    return frozenset(KafkaSettings.model_fields) - _NOT_ARGUMENTS
