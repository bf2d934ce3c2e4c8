"""Opening kafka-python's clients."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from kafka.errors import KafkaConfigurationError
from kafka.net.compat import KafkaNetClient

from classifyd.core.errors import ConfigurationError
from classifyd.kafka_python.waking import QuietSelector

Client = TypeVar("Client")


def opened(client: Callable[..., Client], arguments: Mapping[str, Any]) -> Client:
    """A consumer or producer that has reached the broker. Raises KafkaError while it cannot, and
    ConfigurationError for arguments that can never work.

    A constructor that fails leaves its I/O thread running, so what it made is caught and closed here.
    """
    made: list[KafkaNetClient] = []

    def remembered(**options: Any) -> KafkaNetClient:
        made.append(KafkaNetClient(**options))
        return made[-1]

    try:
        return client(kafka_client=remembered, selector=QuietSelector, **arguments)
    except BaseException as error:
        for one in made:
            one.close()
        if isinstance(error, KafkaConfigurationError | ValueError | TypeError | AssertionError | OSError):
            raise ConfigurationError(f"the settings of [kafka] do not work: {error}") from error
        raise
