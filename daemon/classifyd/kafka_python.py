"""What both Kafka adapters need mended in kafka-python 3.0.12, in one place: opening its clients."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from kafka.errors import KafkaConfigurationError
from kafka.net.compat import KafkaNetClient
from kafka.protocol.api_header import ResponseClassRegistry

from classifyd.core.errors import ConfigurationError

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
        return client(kafka_client=remembered, **arguments)
    except BaseException as error:
        for one in made:
            one.close()
        if isinstance(error, KafkaConfigurationError | ValueError | TypeError | AssertionError | OSError):
            raise ConfigurationError(f"the settings of [kafka] do not work: {error}") from error
        raise


def _keep_response_class(response_class: Any) -> None:
    """Registers the class itself, where kafka-python registers a weak proxy of it.

    It makes a class for each version of a response when that is first needed, and registers it as the one
    to read such responses with. Two threads that need the same one at once, as a producer and a consumer
    that start together do, make two: the one registered last may be the one that nobody keeps. Once it is
    collected, no client of the process understands the broker any more.
    """
    kept = response_class.mro()[0]
    ResponseClassRegistry._response_class_registry[kept.API_KEY] = kept


for _registered in tuple(ResponseClassRegistry._response_class_registry.values()):
    _keep_response_class(_registered)
ResponseClassRegistry.register_response_class = _keep_response_class
