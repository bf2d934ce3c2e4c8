"""Understanding what a broker answers."""

from typing import Any

from kafka.protocol.api_header import ResponseClassRegistry
from kafka.protocol.sasl import SaslBytesResponse


def mend() -> None:
    """Has every answer understood, whichever threads ask first."""
    for registered in tuple(ResponseClassRegistry._response_class_registry.values()):
        _keep_response_class(registered)
    ResponseClassRegistry.register_response_class = _keep_response_class
    SaslBytesResponse.decode = _decode_token


def _keep_response_class(response_class: Any) -> None:
    """Registers the class itself, where kafka-python registers a weak proxy of it.

    It makes a class for each version of a response when that is first needed, and registers it as the one
    to read such responses with. Two threads that need the same one at once, as a producer and a consumer
    that start together do, make two: the one registered last may be the one that nobody keeps. Once it is
    collected, no client of the process understands the broker any more.
    """
    kept = response_class.mro()[0]
    ResponseClassRegistry._response_class_registry[kept.API_KEY] = kept


def _decode_token(response: Any, frame: Any) -> Any:
    """Takes a token as bytes: brokers before Kafka 1.0 send it bare, and a mechanism takes no view of it."""
    response.auth_bytes = bytes(frame.read())
    return response
