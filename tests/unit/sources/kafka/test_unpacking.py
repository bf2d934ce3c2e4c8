"""Compressed batches: what they become is bounded, and what cannot be decompressed is unreadable."""

import tracemalloc
from types import SimpleNamespace

import lz4.frame
import pytest
from kafka import TopicPartition, codec
from kafka.errors import CorruptRecordError
from kafka.record import MemoryRecords
from kafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder
from kafka.record.util import calc_crc32c

from classifyd.sources.kafka import unpacking

WHERE = TopicPartition("pictures", 0)
LIMIT = 2**20
CODECS = {"gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}


def batch(compression: int, *values: bytes, offset: int = 0) -> bytes:
    """A batch as a producer writes it."""
    builder = DefaultRecordBatchBuilder(
        magic=2,
        compression_type=compression,
        is_transactional=False,
        producer_id=-1,
        producer_epoch=-1,
        base_sequence=-1,
        batch_size=2**30,
    )
    for number, value in enumerate(values):
        builder.append(number, 0, None, value, [])
    built = builder.build()
    built[:8] = offset.to_bytes(8)
    return bytes(built)


def with_payload(built: bytes, change) -> bytes:
    """A batch whose compressed payload was changed, under a checksum that is right."""
    head = DefaultRecordBatch.HEADER_STRUCT.size
    changed = bytearray(built[:head] + change(built[head:]))
    changed[8:12] = (len(changed) - 12).to_bytes(4)
    crc = DefaultRecordBatch.CRC_OFFSET
    changed[crc : crc + 4] = calc_crc32c(
        memoryview(changed)[DefaultRecordBatch.ATTRIBUTES_OFFSET :]
    ).to_bytes(4)
    return bytes(changed)


def fetched(data: bytes, offset: int = 0, limit: int = LIMIT):
    """What kafka-python makes of fetched bytes, bounded."""
    consumer = SimpleNamespace(_fetcher=SimpleNamespace())
    unpacking.bound(consumer, limit)
    return consumer._fetcher.PartitionRecords(offset, WHERE, MemoryRecords(data))


@pytest.mark.parametrize("name", CODECS)
def test_what_was_compressed_is_what_comes(name):
    values = [b"picture %d" % number * 1000 for number in range(20)]
    records = fetched(batch(CODECS[name], *values)).take(500)
    assert [record.value for record in records] == values
    assert [record.offset for record in records] == list(range(20))


def test_raw_snappy_is_read_too():
    raw = with_payload(
        batch(2, b"picture" * 99), lambda data: codec.snappy.compress(codec.snappy_decode(data))
    )
    assert [record.value for record in fetched(raw).take()] == [b"picture" * 99]


def _cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


def _flipped(data: bytes) -> bytes:
    return bytes(byte ^ 0x55 for byte in data)


@pytest.mark.parametrize("change", [_cut, _flipped, lambda _data: b"", lambda _data: b"\xff" * 40])
@pytest.mark.parametrize("name", CODECS)
def test_a_payload_that_cannot_be_decompressed_is_unreadable_under_a_right_checksum(name, change):
    good, bad = (
        batch(CODECS[name], b"good" * 100),
        batch(CODECS[name], *[b"%d" % n * 99 for n in range(50)], offset=1),
    )
    records = fetched(good + with_payload(bad, change))
    assert [record.value for record in records.take(500)] == [b"good" * 100]
    assert records.next_fetch_offset == 1
    with pytest.raises(CorruptRecordError):
        records.take(500)


def test_a_checksum_of_the_content_that_is_wrong_is_unreadable():
    """A broker takes them: Java's readers look at neither (KafkaLZ4BlockInputStream does not check it, and
    a GZIPInputStream is not read to its end)."""

    def lz4_with_checksum(data: bytes) -> bytes:
        return lz4.frame.compress(lz4.frame.decompress(data), content_checksum=True)[:-4] + bytes(4)

    def gzip_with_checksum(data: bytes) -> bytes:
        return data[:-8] + bytes(4) + data[-4:]

    with pytest.raises(CorruptRecordError, match="RuntimeError"):
        fetched(with_payload(batch(3, b"picture" * 99), lz4_with_checksum)).take()
    with pytest.raises(CorruptRecordError, match="CRC check failed"):
        fetched(with_payload(batch(1, b"picture" * 99), gzip_with_checksum)).take()


def test_the_blocks_of_snappy_that_go_nowhere_end():
    def endless(data: bytes) -> bytes:
        return data[:16] + (2**32 - 4).to_bytes(4) * 2

    with pytest.raises(CorruptRecordError):
        fetched(with_payload(batch(2, b"picture" * 99), endless)).take()


@pytest.mark.parametrize("name", CODECS)
def test_a_bomb_is_unreadable_and_takes_no_memory(name):
    bomb = batch(CODECS[name], bytes(40 * LIMIT))
    records = fetched(bomb)
    tracemalloc.start()
    try:
        with pytest.raises(CorruptRecordError, match=f"larger than {LIMIT} bytes once it is decompressed"):
            records.take()
        assert tracemalloc.get_traced_memory()[1] < len(bomb) * 4 + 6 * LIMIT
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", CODECS)
def test_a_fetch_ends_before_the_batch_that_goes_beyond_the_limit(name):
    half = LIMIT * 2 // 3
    batches = [batch(CODECS[name], bytes(half), offset=number) for number in range(3)]
    first = fetched(b"".join(batches))
    assert len(first.take()) == 1
    assert not first, "drained"
    assert first.next_fetch_offset == 1
    second = fetched(b"".join(batches[1:]), offset=1)
    assert [record.offset for record in second.take()] == [1]


@pytest.mark.parametrize("name", CODECS)
def test_a_fetch_that_ends_early_is_not_followed_by_the_same_where_compaction_left_a_gap(name):
    """The first batch ends at offset 3, of which compaction left no record: a fetch from 1 brings it too."""
    compacted = bytearray(batch(CODECS[name], bytes(LIMIT * 2 // 3)))
    compacted[23:27] = (3).to_bytes(4)  # its last offset delta
    crc = DefaultRecordBatch.CRC_OFFSET
    compacted[crc : crc + 4] = calc_crc32c(
        memoryview(compacted)[DefaultRecordBatch.ATTRIBUTES_OFFSET :]
    ).to_bytes(4)
    records = fetched(bytes(compacted) + batch(CODECS[name], bytes(LIMIT * 2 // 3), offset=4), offset=1)
    assert records.take() == []
    assert records.next_fetch_offset == 4
