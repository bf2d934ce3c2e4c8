"""Takes fetched batches apart in bounded memory, and tells what cannot be taken apart as unreadable.

kafka-python 3.0.12 decompresses a batch whole, however large it becomes (a kilobyte of zstd can hold a
gigabyte), and lets whatever a decompressor raises end the consumer.
"""

import io
import struct
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Protocol

from kafka import KafkaConsumer, TopicPartition, codec
from kafka.consumer.fetcher import Fetcher
from kafka.errors import CorruptRecordError, KafkaError
from kafka.record.default_records import DefaultRecordBatch

_CHUNK = 2**20
_XERIAL_HEADER = b"\x82SNAPPY\0"
_XERIAL_HEADER_LENGTH = 16
_SNAPPY_LENGTH_BYTES = 5


def bound(consumer: KafkaConsumer, limit: int) -> None:
    """Has what a fetch brings of a partition decompress to `limit` bytes at most. What is left is fetched
    again; a single batch above the limit is unreadable.

    Batches of the formats before Kafka 0.11, which brokers have not written for years, are not bounded.
    """
    consumer._fetcher.PartitionRecords = partial(_PartitionRecords, limit)


class _Exceeded(Exception):
    """Decompressing went beyond the room that was left."""


class _PartitionRecords(Fetcher.PartitionRecords):  # type: ignore[misc]
    """What a fetch brought of a partition."""

    next_fetch_offset: int

    def __init__(self, limit: int, offset: int, where: TopicPartition, records: Any, **options: Any) -> None:
        self._batches = _Batches(records, limit)
        super().__init__(offset, where, self._batches, **options)

    def _unpack_records(self, *arguments: Any) -> Iterator[Any]:
        try:
            yield from super()._unpack_records(*arguments)
        except KafkaError:
            raise
        except _Exceeded as error:
            if self._batches.fresh:
                raise CorruptRecordError(
                    f"its batch is larger than {self._batches.limit} bytes once it is decompressed; if such "
                    "are meant to come, raise intake.max_bytes"
                ) from error
            # As if the fetch had ended before this batch: the next one begins with it. Where compaction took
            # the last records of the batch before, their number alone would fetch that one again, for ever.
            self.next_fetch_offset = max(self.next_fetch_offset, self._batches.begun)
            self.drain()
        except Exception as error:
            raise CorruptRecordError(f"{type(error).__name__}: {error}") from error


class _Batches:
    """kafka-python's batches, the compressed ones as ours. They share `limit` bytes."""

    def __init__(self, records: Any, limit: int) -> None:
        self._records = records
        self.limit = limit
        self.begun = 0
        """The first offset of the batch that was taken last."""
        self._left = limit

    @property
    def fresh(self) -> bool:
        """Whether nothing was decompressed yet."""
        return self._left == self.limit

    def next_batch(self) -> Any:
        batch = self._records.next_batch()
        if isinstance(batch, DefaultRecordBatch) and batch.compression_type:
            self.begun = batch.base_offset
            return _CompressedBatch(batch._buffer, self._decompress)
        return batch

    def _decompress(self, compression: int, data: bytes) -> bytearray:
        unpacked = _DECOMPRESS[compression](data, self._left)
        self._left -= len(unpacked)
        return unpacked


class _CompressedBatch(DefaultRecordBatch):  # type: ignore[misc]
    _buffer: bytearray
    _decompressed: bool

    def __init__(self, buffer: bytearray, decompress: Callable[[int, bytes], bytearray]) -> None:
        super().__init__(buffer)
        self._decompress = decompress

    def _maybe_uncompress(self) -> None:
        if not self._decompressed:
            self._assert_has_codec(self.compression_type)
            payload = bytes(self._buffer[self.HEADER_STRUCT.size :])
            self._buffer = self._decompress(self.compression_type, payload)
            self._pos = 0
            self._decompressed = True


class _Reader(Protocol):
    def read(self, size: int) -> bytes: ...


def _gzip(data: bytes, room: int) -> bytearray:
    return _read(codec.gzip.GzipFile(fileobj=io.BytesIO(data)), room)


def _lz4(data: bytes, room: int) -> bytearray:
    return _read(codec.lz4.LZ4FrameFile(io.BytesIO(data)), room)


def _zstd(data: bytes, room: int) -> bytearray:
    reader = codec.zstd.ZstdDecompressor().stream_reader(io.BytesIO(data), read_across_frames=True)
    return _read(reader, room)


def _read(reader: _Reader, room: int) -> bytearray:
    unpacked = bytearray()
    while chunk := reader.read(_CHUNK):
        unpacked += chunk
        if len(unpacked) > room:
            raise _Exceeded
    return unpacked


def _snappy(data: bytes, room: int) -> bytearray:
    """Snappy's raw format, or blocks of it as xerial's library frames them and Java's clients write them."""
    unpacked = bytearray()
    for block in _xerial_blocks(data) if data.startswith(_XERIAL_HEADER) else [data]:
        if _snappy_length(block) > room - len(unpacked):
            raise _Exceeded
        unpacked += codec.snappy.decompress(block)
    return unpacked


def _xerial_blocks(data: bytes) -> Iterator[bytes]:
    position = _XERIAL_HEADER_LENGTH
    while position < len(data):
        (length,) = struct.unpack_from(">I", data, position)
        position += 4
        yield data[position : position + length]
        position += length


def _snappy_length(block: bytes) -> int:
    """The length that a block's preamble announces: a varint (Snappy format description, section 1)."""
    length = 0
    for place, byte in enumerate(block[:_SNAPPY_LENGTH_BYTES]):
        length |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:
            return length
    raise ValueError("the length of a snappy block is not a number")


_DECOMPRESS: dict[int, Callable[[bytes, int], bytearray]] = {
    DefaultRecordBatch.CODEC_GZIP: _gzip,
    DefaultRecordBatch.CODEC_SNAPPY: _snappy,
    DefaultRecordBatch.CODEC_LZ4: _lz4,
    DefaultRecordBatch.CODEC_ZSTD: _zstd,
}
