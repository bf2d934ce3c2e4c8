"""The wire format of Protocol Buffers: https://protobuf.dev/programming-guides/encoding/.

TensorFlow Serving's messages need little of it. Generated classes would bring TensorFlow along, and make a
list of Python's floats of numbers that stay here where they were received.
"""

from collections.abc import Iterator

Field = int | memoryview
"""A number, or the bytes of anything else."""

_VARINT, _EIGHT_BYTES, _SIZED, _FOUR_BYTES = 0, 1, 2, 5
_LONGEST_VARINT = 10
_64_BITS = 0xFFFF_FFFF_FFFF_FFFF
_MOST_FIELDS = 10_000
"""What a message of many empty fields may cost; ours have a few dozen."""


class Malformed(ValueError):
    """These bytes are not the message that they should be."""


def number(field: int, value: int) -> bytes:
    """A field that holds a number; one below 0 as its two's complement."""
    return _varint(field << 3 | _VARINT) + _varint(value & _64_BITS)


def sized(field: int, *content: bytes) -> tuple[bytes, ...]:
    """A field that holds text, bytes or a message, in pieces: who has the whole joins them, once."""
    return (_varint(field << 3 | _SIZED) + _varint(sum(map(len, content))), *content)


def fields(message: memoryview) -> Iterator[tuple[int, Field]]:
    """The fields of a message with their numbers, in order; nothing is copied. Raises Malformed."""
    at, end = 0, len(message)
    for _ in range(_MOST_FIELDS):
        if at == end:
            return
        tag, at = _read_varint(message, at)
        kind, size = tag & 7, 0
        if kind == _VARINT:
            value, at = _read_varint(message, at)
            yield tag >> 3, value
            continue
        if kind == _SIZED:
            size, at = _read_varint(message, at)
        elif kind in (_EIGHT_BYTES, _FOUR_BYTES):
            size = 8 if kind == _EIGHT_BYTES else 4
        else:
            raise Malformed(f"a field of kind {kind}")
        if size > end - at:
            raise Malformed(f"a field of {size} bytes where {end - at} are left")
        yield tag >> 3, message[at : at + size]
        at += size
    raise Malformed(f"more than {_MOST_FIELDS} fields")


def parts(message: memoryview, field: int) -> Iterator[memoryview]:
    """The messages, texts or bytes of a field that may be repeated. Raises Malformed."""
    return (as_bytes(value) for number, value in fields(message) if number == field)


def mapped(message: memoryview, field: int) -> dict[str, memoryview]:
    """The messages of a map whose keys are text. Raises Malformed."""
    entries = [dict(fields(entry)) for entry in parts(message, field)]
    return {as_text(entry.get(1, _NOTHING)): as_bytes(entry.get(2, _NOTHING)) for entry in entries}


def as_bytes(value: Field) -> memoryview:
    """A field that is no number. Raises Malformed."""
    if isinstance(value, int):
        raise Malformed("a number where something else belongs")
    return value


def as_text(value: Field) -> str:
    """A field that is text. Raises Malformed."""
    try:
        return str(as_bytes(value), "utf-8")
    except UnicodeDecodeError as error:
        raise Malformed("text that is not UTF-8") from error


def as_number(value: Field) -> int:
    """A field that is a signed number. Raises Malformed."""
    if not isinstance(value, int):
        raise Malformed("something else where a number belongs")
    return value - (1 << 64) if value >> 63 else value


_NOTHING = memoryview(b"")


def _varint(value: int) -> bytes:
    written = bytearray()
    while value > 0x7F:
        written.append(value & 0x7F | 0x80)
        value >>= 7
    written.append(value)
    return bytes(written)


def _read_varint(message: memoryview, at: int) -> tuple[int, int]:
    """The number that begins there, in 64 bits, and where it ends."""
    value = 0
    for position, byte in enumerate(message[at : at + _LONGEST_VARINT]):
        value |= (byte & 0x7F) << 7 * position
        if byte <= 0x7F:
            return value & _64_BITS, at + position + 1
    raise Malformed("a number without an end")
