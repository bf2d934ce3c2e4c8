"""The picture in a record: the value itself, or the data of a CloudEvent.

CloudEvents 1.0, Kafka protocol binding: a `content-type` of `application/cloudevents` means the structured
mode, `ce_` headers the binary mode (section 3); everything else is a bare JPEG.
"""

import re
from collections.abc import Callable, Sequence

from cloudevents.core.base import BaseCloudEvent
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary, from_structured
from cloudevents.core.exceptions import BaseCloudEventException
from cloudevents.core.formats.json import JSONFormat

from classifyd.core.names import printable
from classifyd.core.values import Reason, Rejected

_STRUCTURED = "application/cloudevents"
_JSON = "application/cloudevents+json"
# W3C Trace Context, section 3.2.
_TRACEPARENT = re.compile("[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_FORMAT = JSONFormat()
_DETAIL_LENGTH = 400
"""Characters of a detail that come from the record: it goes into the row, the log and the dead letter."""

Headers = Sequence[tuple[str, bytes | None]]


def picture(headers: Headers, value: bytes) -> tuple[bytes | Rejected, str | None]:
    """The encoded picture that a record holds, or why it holds none, and its traceparent if it has one."""
    if not headers:
        return value, None
    given = {name.lower(): content for name, content in headers if content is not None}
    content_type = given.get("content-type", b"").decode("latin-1").strip().lower()
    traceparent = given.get("traceparent", given.get("ce_traceparent", b"")).decode("latin-1")
    data: bytes | Rejected = value
    if content_type.startswith(_STRUCTURED):
        data, extension = _structured(content_type, value)
        traceparent = traceparent or extension
    elif any(name.startswith("ce_") for name in given):
        data = _binary(given, value)
    return data, traceparent if _TRACEPARENT.fullmatch(traceparent) else None


def _binary(headers: dict[str, bytes], value: bytes) -> bytes | Rejected:
    """The value, if the attributes make an event. They are read without it: it may be any bytes."""
    event = _parsed(lambda: from_binary(KafkaMessage(headers, None, b""), _FORMAT))
    return event if isinstance(event, Rejected) else value


def _structured(content_type: str, value: bytes) -> tuple[bytes | Rejected, str]:
    if content_type.partition(";")[0].rstrip() != _JSON:
        return _no_event(f"its content type is {content_type}; only {_JSON} is understood"), ""
    event = _parsed(lambda: from_structured(KafkaMessage({}, None, value), _FORMAT))
    if isinstance(event, Rejected):
        return event, ""
    data, extension = event.get_data(), event.get_extension("traceparent")
    traceparent = extension if isinstance(extension, str) else ""
    if isinstance(data, bytes):
        return data, traceparent
    return _no_event("it has no data_base64, which is where its picture should be"), traceparent


def _parsed(parse: Callable[[], BaseCloudEvent]) -> BaseCloudEvent | Rejected:
    try:
        return parse()
    except (BaseCloudEventException, ValueError, TypeError, AttributeError, RecursionError) as error:
        return _no_event(str(error) or type(error).__name__)


def _no_event(detail: str) -> Rejected:
    return Rejected(
        Reason.NOT_AN_EVENT, f"not a CloudEvent with a picture: {printable(detail[:_DETAIL_LENGTH])}"
    )
