"""What is mended in kafka-python."""

import gc
import socket
import ssl
from types import SimpleNamespace

import pytest
from kafka.errors import KafkaConnectionError
from kafka.net.transport import KafkaSSLTransport, KafkaTCPTransport
from kafka.protocol.api_header import ResponseClassRegistry
from kafka.protocol.frame import KafkaBytes
from kafka.protocol.metadata import MetadataResponse
from kafka.protocol.parser import KafkaProtocol
from kafka.protocol.sasl import SaslBytesRequest
from kafka.record import default_records
from kafka.record.default_records import DefaultRecordBatchBuilder

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


class Chunks:
    """A socket that gives what it is told to give, or raises it."""

    def __init__(self, *given):
        self._given = iter(given)
        self.asked = []

    def recv(self, size):
        self.asked.append(size)
        given = next(self._given)
        if isinstance(given, Exception):
            raise given
        return given


@pytest.fixture
def connected():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        yield SimpleNamespace(_sock=ours), theirs


def test_what_waits_at_a_socket_is_received_whole(connected):
    transport, broker = connected
    broker.sendall(b"record" * 9_999)
    assert KafkaTCPTransport._sock_recv(transport) == (b"record" * 9_999, None)
    assert KafkaTCPTransport._sock_recv(transport) == (b"", None)


def test_the_last_of_a_closed_connection_is_received_with_its_end(connected):
    transport, broker = connected
    broker.sendall(b"last")
    broker.close()
    data, error = KafkaTCPTransport._sock_recv(transport)
    assert (data, type(error)) == (b"last", KafkaConnectionError)


@pytest.mark.parametrize("transport", [KafkaTCPTransport, KafkaSSLTransport])
def test_a_fetch_is_not_received_in_thousands_of_pieces(transport):
    pieces = Chunks(b"some", b"more", BlockingIOError())
    assert transport._sock_recv(SimpleNamespace(_sock=pieces)) == (b"somemore", None)
    assert min(pieces.asked) >= 64 * 2**10


@pytest.mark.parametrize("nothing", [InterruptedError, ssl.SSLWantReadError, ssl.SSLWantWriteError])
def test_what_came_is_kept_where_no_more_comes_yet(nothing):
    pieces = Chunks(b"some", nothing())
    assert KafkaSSLTransport._sock_recv(SimpleNamespace(_sock=pieces)) == (b"some", None)


def test_a_connection_that_fails_gives_what_came_before():
    pieces = Chunks(b"some", ConnectionResetError("gone"))
    data, error = KafkaTCPTransport._sock_recv(SimpleNamespace(_sock=pieces))
    assert (data, type(error)) == (b"some", KafkaConnectionError)


def test_an_answer_is_filled_and_read_piece_by_piece_and_to_its_end():
    frame = KafkaBytes(10)
    frame.write(b"0123")
    frame.write(b"456789")
    frame.seek(0)
    assert (frame.read(4), frame.tell()) == (b"0123", 4)
    assert (bytes(frame.read()), frame.tell()) == (b"456789", 10)
    assert (frame.read(1), bytes(frame.read())) == (b"", b"")


def test_an_old_broker_s_token_is_bytes_as_the_mechanisms_need_it():
    protocol = KafkaProtocol()
    protocol.send_request(SaslBytesRequest(b"who I am"))
    [(_, answer)] = protocol.receive_bytes(b"\0\0\0\x05token")
    assert answer.auth_bytes.decode() == "token"


def test_a_sum_is_computed_without_giving_the_interpreter_up():
    batch = DefaultRecordBatchBuilder(
        magic=2,
        compression_type=0,
        is_transactional=0,
        producer_id=-1,
        producer_epoch=-1,
        base_sequence=-1,
        batch_size=10**6,
    )
    batch.append(0, 0, None, b"picture" * 9_999, [])
    built = batch.build()
    assert default_records.calc_crc32c.keywords == {"gil_release_mode": 0}
    assert default_records.DefaultRecordBatch(built).validate_crc()
    built[-9] ^= 1
    assert not default_records.DefaultRecordBatch(built).validate_crc()
