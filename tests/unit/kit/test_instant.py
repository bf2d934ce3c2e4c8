"""The model server that answers at once."""

import socket

from classifyd.core.values import Prediction
from classifyd.engines.tfserving import TFServingClassifier, TFServingConfig
from verification.kit.instant import BEST, instant_server
from verification.kit.pictures import image, jpeg


def test_every_picture_of_a_batch_is_answered() -> None:
    with instant_server() as url:
        classifier = TFServingClassifier(TFServingConfig("any", url))
        assert len(classifier.probe().labels) == 1001
        for count in (1, 32):
            answers = classifier.classify([image(jpeg("red"))] * count)
            assert len(answers) == count
            assert all(isinstance(one, Prediction) and one.best.class_index == BEST for one in answers)
        classifier.close()


def test_requests_may_arrive_in_pieces_and_several_at_once() -> None:
    body = b'{"instances":[{"b64":"AA=="}]}'
    request = b"POST /v1/models/m:predict HTTP/1.1\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
    with instant_server(classes=4) as url:
        host, port = url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=20) as connection:
            stream = connection.makefile("rb")
            for piece in (request[:10], request[10:-5], request[-5:] + request + request):
                connection.sendall(piece)
            for _ in range(3):
                assert stream.readline() == b"HTTP/1.1 200 OK\r\n"
                length = 0
                while (line := stream.readline()) != b"\r\n":
                    name, _, value = line.partition(b":")
                    length = int(value) if name == b"Content-Length" else length
                assert stream.read(length).count(b'"classes"') == 1
            stream.close()
