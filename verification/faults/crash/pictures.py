"""What is fed: sound pictures and bad ones, each with bytes of its own."""

from enum import StrEnum
from functools import cache

from verification.kit.pictures import jpeg, without_segment

MAX_BYTES = 16 * 2**10
"""The daemon's `limits.max_bytes` in these runs."""
MAX_PIXELS = 2_000
"""Its `limits.max_pixels`."""


class Kind(StrEnum):
    """What a picture is, or lacks."""

    SOUND = "sound"
    LARGE = "large"
    """Sound, and nearly as large as is allowed."""
    TEXT = "text"
    TRUNCATED = "truncated"
    TOO_LARGE = "too-large"
    TOO_MANY_PIXELS = "too-many-pixels"
    UNDECODABLE = "undecodable"
    """Sound for the gate, and for a model that looks at no picture."""
    EMPTY = "empty"
    TOMBSTONE = "tombstone"

    def good(self, model_looks: bool) -> bool:
        """Whether it is to be classified; `model_looks` where the model decodes what it is asked about."""
        return self in (Kind.SOUND, Kind.LARGE) or (self is Kind.UNDECODABLE and not model_looks)


def picture(kind: Kind, number: int) -> bytes | None:
    """The picture of this kind and number; None for a tombstone."""
    match kind:
        case Kind.TOMBSTONE:
            return None
        case Kind.EMPTY:
            return b""
        case Kind.TEXT:
            return f"no picture {number}".encode()
        case Kind.TRUNCATED:
            whole = _numbered(_small(), number)
            return whole[: len(whole) - 200]
        case Kind.LARGE:
            return _numbered(_small(), number) + bytes(MAX_BYTES - 1024)
        case Kind.TOO_LARGE:
            return _numbered(_small(), number) + bytes(MAX_BYTES)
        case Kind.TOO_MANY_PIXELS:
            return _numbered(_wide(), number)
        case Kind.UNDECODABLE:
            return _numbered(without_segment(_small(), 0xDB), number)
        case _:
            return _numbered(_small(), number)


def _numbered(data: bytes, number: int) -> bytes:
    """With a comment of its own right after the start marker."""
    comment = f"picture {number:012}".encode()
    return data[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment + data[2:]


@cache
def _small() -> bytes:
    return jpeg("red")


@cache
def _wide() -> bytes:
    return jpeg("green", (64, 64))
