"""How answers are received, and what is copied of them."""

import select
import selectors
import socket
import ssl
import struct
import threading
from types import SimpleNamespace

import pytest
from kafka.errors import KafkaConnectionError
from kafka.net.transport import KafkaSSLTransport, KafkaTCPTransport
from kafka.protocol.frame import KafkaBytes
from kafka.protocol.parser import KafkaProtocol
from kafka.protocol.sasl import SaslBytesRequest
from kafka.record import default_records
from kafka.record.default_records import DefaultRecordBatchBuilder

from classifyd.kafka_python.waking import QuietSelector


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

    def recv_into(self, view):
        given = self.recv(len(view))
        view[: len(given)] = given
        return len(given)


def over(sock, begun=None):
    """A transport of this socket, and of an answer that was begun."""
    parser = SimpleNamespace(_receiving=begun is not None, _rbuffer=begun)
    return SimpleNamespace(_sock=sock, _protocol=SimpleNamespace(parser=parser))


@pytest.fixture
def connected():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        yield SimpleNamespace(_sock=ours, _protocol=None), theirs


def test_what_waits_at_a_socket_is_received_whole(connected):
    transport, broker = connected
    broker.sendall(b"record" * 9_999)
    assert KafkaTCPTransport._sock_recv(transport) == (b"record" * 9_999, None)
    assert KafkaTCPTransport._sock_recv(transport) == (b"", None)


def test_the_last_of_a_closed_connection_is_received_and_then_its_end(connected):
    transport, broker = connected
    broker.sendall(b"last")
    broker.close()
    assert KafkaTCPTransport._sock_recv(transport) == (b"last", None)
    data, error = KafkaTCPTransport._sock_recv(transport)
    assert (data, type(error)) == (b"", KafkaConnectionError)


def test_a_fetch_is_not_received_in_thousands_of_pieces():
    pieces = Chunks(b"some", BlockingIOError())
    assert KafkaTCPTransport._sock_recv(over(pieces)) == (b"some", None)
    [asked] = pieces.asked  # what came is less, so it was all that was there
    assert asked >= 64 * 2**10


def test_over_tls_what_is_there_comes_in_several_pieces():
    pieces = Chunks(b"some", b"more", ssl.SSLWantReadError())
    assert KafkaSSLTransport._sock_recv(over(pieces)) == (b"somemore", None)
    assert min(pieces.asked) >= 64 * 2**10


@pytest.mark.parametrize("nothing", [InterruptedError, ssl.SSLWantReadError, ssl.SSLWantWriteError])
def test_what_came_is_kept_where_no_more_comes_yet(nothing):
    pieces = Chunks(b"some", nothing())
    assert KafkaSSLTransport._sock_recv(over(pieces)) == (b"some", None)


def test_a_connection_that_fails_gives_what_came_before():
    pieces = Chunks(b"some", ConnectionResetError("gone"))
    data, error = KafkaSSLTransport._sock_recv(over(pieces))
    assert (data, type(error)) == (b"some", KafkaConnectionError)


def test_what_belongs_to_an_answer_is_put_there_but_for_its_last_byte_and_what_follows():
    answer = KafkaBytes(10)
    answer.write(b"01")
    pieces = Chunks(b"234", b"5678", b"9 and more", ssl.SSLWantReadError())
    assert KafkaSSLTransport._sock_recv(over(pieces, answer)) == (b"9 and more", None)
    assert (bytes(answer), answer.tell()) == (b"012345678\0", 9)


@pytest.mark.parametrize("transport", [KafkaTCPTransport, KafkaSSLTransport])
def test_a_connection_that_ends_amid_an_answer_is_told(transport):
    data, error = transport._sock_recv(over(Chunks(b""), KafkaBytes(10)))
    assert (data, type(error)) == (b"", KafkaConnectionError)


@pytest.fixture
def over_tcp():
    with socket.create_server(("127.0.0.1", 0)) as server:
        ours = socket.create_connection(server.getsockname())
        theirs, _ = server.accept()
    with ours, theirs:
        ours.setblocking(False)
        yield ours, theirs


def test_a_large_answer_is_waited_for_in_large_parts_and_a_small_one_after_it_is_not(over_tcp):
    ours, theirs = over_tcp
    parser = KafkaProtocol()
    transport = SimpleNamespace(_sock=ours, _protocol=SimpleNamespace(parser=parser))
    ready = select.poll()
    ready.register(ours, select.POLLIN)
    for size in (5 * 2**20 + 3, 5, 2**20, 2**20 + 1, 1, 0):
        parser.send_request(SaslBytesRequest(b"who I am"))
        token = b"t" * size
        sending = threading.Thread(target=theirs.sendall, args=(size.to_bytes(4, "big") + token,))
        sending.start()
        answers = []
        turns = 0
        while not answers:
            assert ready.poll(10_000), "nothing woke it, and the answer is there"
            data, error = KafkaTCPTransport._sock_recv(transport)
            assert error is None
            answers = parser.receive_bytes(data)
            turns += 1
        sending.join()
        [(_, answer)] = answers
        assert answer.auth_bytes == token
        assert turns <= 3 + size // 2**20


@pytest.mark.parametrize("linger", [None, struct.pack("ii", 1, 0)], ids=["closed", "reset"])
def test_a_broker_that_dies_amid_a_large_answer_wakes_who_waits_for_more_of_it(over_tcp, linger):
    ours, theirs = over_tcp
    parser = KafkaProtocol()
    transport = SimpleNamespace(_sock=ours, _protocol=SimpleNamespace(parser=parser))
    with QuietSelector() as selector:
        selector.register(ours, selectors.EVENT_READ)
        theirs.sendall((5 * 2**20).to_bytes(4, "big") + b"begun")
        assert selector.select(10)
        parser.receive_bytes(KafkaTCPTransport._sock_recv(transport)[0])
        theirs.sendall(b", and filled")
        assert selector.select(10)
        assert KafkaTCPTransport._sock_recv(transport) == (b"", None)
        assert transport._least == 2**20
        if linger:
            theirs.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        theirs.close()
        assert selector.select(10)
    data, error = KafkaTCPTransport._sock_recv(transport)
    assert (data, type(error)) == (b"", KafkaConnectionError)


def test_an_answer_is_filled_and_read_piece_by_piece_and_to_its_end():
    frame = KafkaBytes(10)
    frame.write(b"0123")
    frame.write(b"456789")
    frame.seek(0)
    assert (frame.read(4), frame.tell()) == (b"0123", 4)
    assert (bytes(frame.read()), frame.tell()) == (b"456789", 10)
    assert (frame.read(1), bytes(frame.read())) == (b"", b"")


def test_a_batch_is_summed_without_giving_the_interpreter_up_and_kept_as_bytes():
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
    batch = default_records.DefaultRecordBatch(built)
    assert batch.validate_crc()
    [record] = batch
    assert (record.value, type(batch._buffer)) == (b"picture" * 9_999, bytes)
    built[-9] ^= 1
    assert not default_records.DefaultRecordBatch(built).validate_crc()
