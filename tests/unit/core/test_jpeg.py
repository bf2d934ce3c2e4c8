"""What the markers before the picture data tell."""

import struct

import pytest

from classifyd.core.jpeg import Frame, Head, Incomplete, Malformed, read_head

FRAME = Frame(precision=8, height=5, width=7, components=3)
ADOBE = b"Adobe\0\x64\0\0\0\0\2"


def segment(code: int, body: bytes = b"") -> bytes:
    return struct.pack(">BBH", 0xFF, code, len(body) + 2) + body


def frame(width: int = 7, height: int = 5, code: int = 0xC0) -> bytes:
    return segment(code, struct.pack(">BHHB", 8, height, width, 3) + bytes(9))


SCAN = segment(0xDA, bytes(8))


def by_hand(*parts: bytes) -> bytes:
    return b"\xff\xd8" + b"".join(parts)


def test_the_head_is_the_frame_and_adobes_marker() -> None:
    assert read_head(by_hand(frame(), SCAN)) == Head(FRAME, lossless=False, adobe=False)
    assert read_head(by_hand(segment(0xEE, ADOBE), frame(), SCAN)) == Head(FRAME, lossless=False, adobe=True)
    assert read_head(by_hand(frame(), segment(0xEE, ADOBE), SCAN)) == Head(FRAME, lossless=False, adobe=True)


@pytest.mark.parametrize(
    ("code", "lossless"),
    [(0xC0, False), (0xC2, False), (0xCA, False), (0xC3, True), (0xC7, True), (0xCB, True)],
)
def test_the_head_tells_a_lossless_frame(code: int, lossless: bool) -> None:
    assert read_head(by_hand(frame(code=code), SCAN)) == Head(FRAME, lossless, adobe=False)


def test_what_only_looks_like_adobes_marker_is_none() -> None:
    short, other = segment(0xEE, ADOBE[:11]), segment(0xEE, b"Adore" + ADOBE[5:])
    assert not read_head(by_hand(short, other, segment(0xED, ADOBE), frame(), SCAN)).adobe


@pytest.mark.parametrize("code", [0xC4, 0xC8, 0xCC, 0xDE, 0xE1, 0xF0, 0xFE])
def test_a_frame_in_another_segment_or_of_another_kind_is_none(code: int) -> None:
    hidden = segment(code, frame(65_535, 65_535))
    assert read_head(by_hand(hidden, frame(), frame(9, 9, 0xDE), SCAN)) == Head(
        FRAME, lossless=False, adobe=False
    )


def test_what_comes_after_the_first_scan_is_not_looked_at() -> None:
    assert read_head(by_hand(frame(), SCAN, frame(9, 9))).frame == FRAME


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"", Malformed),
        (b"GIF89a", Malformed),
        (by_hand(SCAN), Malformed),
        (by_hand(b"\xff\xd9"), Malformed),
        (by_hand(segment(0xC0, b"\x08\0\5"), SCAN), Malformed),
        (by_hand(frame(), frame(), SCAN), Malformed),
        (by_hand(frame()), Incomplete),
        (by_hand(frame()[:-1]), Incomplete),
    ],
)
def test_what_has_no_head_is_told(data: bytes, error: type[Exception]) -> None:
    with pytest.raises(error, match=r"\w"):
        read_head(data)
