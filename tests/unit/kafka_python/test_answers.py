"""What a broker answers is understood."""

import gc
from types import SimpleNamespace

from kafka.protocol.api_header import ResponseClassRegistry
from kafka.protocol.metadata import MetadataResponse
from kafka.protocol.parser import KafkaProtocol
from kafka.protocol.sasl import SaslBytesRequest

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


def test_an_old_broker_s_token_is_bytes_as_the_mechanisms_need_it():
    protocol = KafkaProtocol()
    protocol.send_request(SaslBytesRequest(b"who I am"))
    [(_, answer)] = protocol.receive_bytes(b"\0\0\0\x05token")
    assert answer.auth_bytes.decode() == "token"
