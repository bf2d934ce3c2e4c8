import hashlib
from datetime import UTC, datetime
from types import SimpleNamespace

from classifyd.core import images
from classifyd.core.gate import Limits
from classifyd.core.images import examine
from classifyd.core.values import Origin, Reason, Record, Source

ORIGIN = Origin(Source.KAFKA, "kafka:c/t/1/0/7", topic="t", partition=0, offset=7)
NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


def test_only_the_hash_of_a_large_picture_gives_the_interpreter_up(monkeypatch):
    given = []

    class Hash:
        def __init__(self, data=b""):
            given.append(len(data))
            self._hash = hashlib.sha256(data)

        def update(self, data):
            given.append(len(data))
            self._hash.update(data)

        def hexdigest(self):
            return self._hash.hexdigest()

    monkeypatch.setattr(images, "hashlib", SimpleNamespace(sha256=Hash))
    for size in (0, 1, 1984, 1985, 51_000):
        data = bytes(size)
        assert images.sha256_of(data) == hashlib.sha256(data).hexdigest()
    assert max(given) < 2048  # HASHLIB_GIL_MINSIZE, Modules/hashlib.h
    given.clear()
    data = bytes(2**20)
    assert images.sha256_of(data) == hashlib.sha256(data).hexdigest()
    assert given == [2**20]


def test_an_image_carries_its_hash_its_origin_and_what_the_gate_says():
    record = Record("t", 0, 7, None, b"abc")

    image, refusal = examine(ORIGIN, b"abc", Limits(), NOW, "00-trace", record)

    assert image.sha256 == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert (image.size_bytes, image.width, image.height) == (3, None, None)
    assert (image.origin, image.received_at, image.traceparent, image.record) == (
        ORIGIN,
        NOW,
        "00-trace",
        record,
    )
    assert refusal.reason is Reason.NOT_A_JPEG
