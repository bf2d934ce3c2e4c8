"""What is mended in kafka-python."""

import gc
from types import SimpleNamespace

from kafka.protocol.api_header import ResponseClassRegistry
from kafka.protocol.metadata import MetadataResponse

import classifyd.kafka_python  # noqa: F401 - mends it


def test_answers_are_understood_whichever_of_two_threads_was_first(monkeypatch):
    version = MetadataResponse.max_version
    monkeypatch.setattr(MetadataResponse, "_VERSIONS", {})
    kept = MetadataResponse[version]
    MetadataResponse._VERSIONS.clear()
    MetadataResponse[version]  # the other thread's: registered last
    MetadataResponse._VERSIONS[version] = kept  # but kept first
    gc.collect()
    asked = SimpleNamespace(request_api_key=MetadataResponse.API_KEY, request_api_version=version)
    understood = ResponseClassRegistry.get_response_class(asked)
    assert issubclass(understood, MetadataResponse)
