"""Names, keys and paths as text: one encoding everywhere, decoded for the file system.

`%`, control characters and bytes that are not UTF-8 are percent-encoded (RFC 3986, section 2.1); all
other text stands as it is, so that ordinary names stay readable.
"""

import os
import re
from urllib.parse import unquote_to_bytes

# C0, DEL, C1, and what str.splitlines takes for the end of a line.
_UNSAFE = re.compile("[%\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")

# The same but for %, and the controls of the bidirectional algorithm (Unicode Standard Annex 9, section 2).
_STEERING = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def encode(name: bytes) -> str:
    """A name's bytes as text that `decode` turns back into the same bytes."""
    text = name.decode("utf-8", "surrogateescape")
    # What Python calls printable holds nothing unsafe but %, and is found out five times as fast.
    return text if text.isprintable() and "%" not in text else _UNSAFE.sub(_percent, text)


def decode(text: str) -> bytes:
    """The bytes that `encode` was given."""
    return unquote_to_bytes(text)


def encode_path(path: str | os.PathLike[str]) -> str:
    """A path of this file system as text."""
    return encode(os.fsencode(path))


def decode_path(text: str) -> str:
    """The path of this file system that `encode_path` was given. Raises ValueError for a text that it never
    gives: no path holds a null byte."""
    path = decode(text)
    if b"\0" in path:
        raise ValueError(f"a path cannot hold a null byte: {text}")
    return os.fsdecode(path)


def printable(text: str) -> str:
    """Foreign text of one line, for people: what would break the line, steer a terminal or turn the direction
    of reading is written as Python would."""
    return _STEERING.sub(lambda match: repr(match.group())[1:-1], text)


def _percent(match: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in match.group().encode("utf-8", "surrogateescape"))
