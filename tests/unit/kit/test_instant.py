"""The model servers that answer at once."""

import socket

import pytest

from classifyd.core.values import Prediction
from classifyd.engines.tfserving import TFServingClassifier, TFServingConfig
from verification.bench.processes import INSTANT_GRPC, answering_at_once, listening
from verification.kit.instant import BEST, instant_server
from verification.kit.pictures import image, jpeg

LONGER_THAN_ONE_READ = 1_000_000


@pytest.fixture(params=[instant_server, answering_at_once], ids=["thread", "process"])
def url(request):
    """On asyncio's loop beside the test, or on uvloop in a process of its own."""
    with request.param() as address:
        yield address


def test_every_picture_of_a_batch_is_answered(url) -> None:
    assert_it_answers_every_picture(url)


def test_every_picture_of_a_batch_is_answered_over_grpc() -> None:
    with listening(*INSTANT_GRPC) as url:
        assert_it_answers_every_picture(url)


def assert_it_answers_every_picture(url: str) -> None:
    classifier = TFServingClassifier(TFServingConfig("any", url))
    assert len(classifier.probe().labels) == 1001
    for count in (1, 32):
        answers = classifier.classify([image(jpeg("red"))] * count)
        assert len(answers) == count
        assert all(isinstance(one, Prediction) and one.best.class_index == BEST for one in answers)
    classifier.close()


def test_requests_may_arrive_in_pieces_and_several_at_once(url) -> None:
    long = _request(2, LONGER_THAN_ONE_READ)
    short = _request(1, 4)
    pieces = (short[:10], short[10:-5], short[-5:] + short + long + short[:30], short[30:] + short)
    host, port = url.removeprefix("http://").split(":")
    with (
        socket.create_connection((host, int(port)), timeout=20) as connection,
        connection.makefile("rb") as stream,
    ):
        for piece in pieces:
            connection.sendall(piece)
        assert [_pictures_in_answer(stream) for _ in range(5)] == [1, 1, 2, 1, 1]


def _request(pictures: int, size: int) -> bytes:
    body = b'{"instances":[%b]}' % b",".join([b'{"b64":"%b"}' % (b"A" * size)] * pictures)
    return b"POST /v1/models/m:predict HTTP/1.1\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


def _pictures_in_answer(stream) -> int:
    assert stream.readline() == b"HTTP/1.1 200 OK\r\n"
    length = 0
    while (line := stream.readline()) != b"\r\n":
        name, _, value = line.partition(b":")
        length = int(value) if name == b"Content-Length" else length
    return stream.read(length).count(b'"classes"')
