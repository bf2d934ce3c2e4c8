"""What is done to a sound JPEG to make a hostile one. A mutant follows from a seed and its number alone."""

import random
import struct
from collections.abc import Callable, Sequence

MOST_BYTES = 256 * 2**10
"""A mutant is cut to this: bombs of bombs would cost the run more than they find."""

_SIZES = (0, 1, 2, 7, 8, 9, 16, 63, 64, 255, 256, 1000, 4096, 32_767, 32_768, 65_499, 65_500, 65_501, 65_535)
_LENGTHS = (0, 1, 2, 3, 5, 8, 16, 17, 64, 65, 1000, 32_767, 65_534, 65_535)
_FRAMES = tuple(set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC})
_ODD_CODES = (0x00, 0x01, 0x42, 0xBF, 0xC4, 0xC8, 0xCC, 0xD0, 0xD7, 0xD8, 0xD9, 0xDA, 0xDC, 0xDE, 0xDF)
_MORE_ODD_CODES = (*_FRAMES, 0xDB, 0xDD, 0xE0, 0xE1, 0xE2, 0xED, 0xEE, 0xF0, 0xF7, 0xFD, 0xFE, 0xFF)
_APPLICATIONS = (
    b"JFIF\0",
    b"Exif\0\0MM\0*",
    b"Exif\0\0",
    b"ICC_PROFILE\0\1\2",
    b"MPF\0",
    b"Adobe\0\x64\0\0\0\0\1",
)
_MORE_APPLICATIONS = (b"Photoshop 3.0\x008BIM\x03\xed", b"http://ns.adobe.com/xap/1.0/\0", b"FPXR\0", b"")
_HOSTS = {
    "ZIP": b"PK\3\4\x14\0\0\0\0\0" + bytes(20),
    "HTML": b"<html><script>alert(1)</script><!--",
    "PDF": b"%PDF-1.7\n1 0 obj<</Length 9>>stream\n",
    "PNG": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(17),
    "GIF": b"GIF89a\1\0\1\0\0\0\0;",
    "BMP": b"BM" + bytes(52),
    "TIFF": b"II*\0\x08\0\0\0\0\0",
    "SVG": b"<?xml version='1.0'?><svg>",
    "program": b"\x7fELF\2\1\1",
    "text": b"\xef\xbb\xbfhello\n",
}

Mutator = Callable[[random.Random, bytes, Sequence[bytes]], bytes]


class Mutants:
    """The mutants of a seed, by number, of sound pictures."""

    def __init__(self, seed: int, pictures: Sequence[bytes]) -> None:
        self._seed = seed
        self._pictures = pictures

    def __getitem__(self, number: int) -> bytes:
        """A picture to which one to four things were done."""
        rng = random.Random(f"{self._seed}/{number}")
        data = rng.choice(self._pictures)
        for _ in range(rng.choice((1, 1, 1, 1, 2, 2, 3, 4))):
            data = rng.choice(MUTATORS)(rng, data, self._pictures)[:MOST_BYTES]
        return data


def _pieces(data: bytes) -> list[bytes]:
    """Start, segments, entropy-coded data and end, each apart; what follows the end, or cannot be taken
    apart, as one piece. (A plain walk of its own: it must not share a mistake with what it tests.)"""
    pieces, position = [data[:2]], 2
    while position + 4 <= len(data) and data[position] == 0xFF and data[position + 1] != 0xD9:
        end = position + 2 + int.from_bytes(data[position + 2 : position + 4])
        pieces.append(data[position:end])
        if data[position + 1] == 0xDA:
            start = end
            while (end := data.find(b"\xff", end)) >= 0 and data[end + 1 : end + 2] in _WITHIN_A_SCAN:
                end += 2
            end = len(data) if end < 0 else end
            pieces.append(data[start:end])
        position = end
    return [*pieces, data[position : position + 2], data[position + 2 :]]


_WITHIN_A_SCAN = {bytes([code]) for code in (0, *range(0xD0, 0xD8))}


def _segment(code: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, code, (len(body) + 2) & 0xFFFF) + body


def _chosen(rng: random.Random, pieces: Sequence[bytes], codes: Sequence[int] = ()) -> int | None:
    """The index of a segment, of one of these codes if they are given."""
    fitting = [
        index
        for index, piece in enumerate(pieces)
        if len(piece) > 3 and piece[0] == 0xFF and (piece[1] in codes if codes else piece[1] >= 0xC0)
    ]
    return rng.choice(fitting) if fitting else None


def _overwritten(data: bytes, position: int, patch: bytes) -> bytes:
    return data[:position] + patch + data[position + len(patch) :]


def _junk(rng: random.Random) -> bytes:
    size = rng.choice((1, 2, 3, 16, 100, 5000))
    return rng.choice(
        (
            rng.randbytes(size),
            bytes(size),
            b"\xff" * size,
            b"\xff\0" * size,
            b"\xff\xd0" * size,
            bytes((0xFF, rng.choice((*_ODD_CODES, *_MORE_ODD_CODES)))),
        )
    )


def flip_bits(rng: random.Random, data: bytes, _pictures: Sequence[bytes]) -> bytes:
    flipped = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4, 16, 64))):
        if flipped:
            flipped[rng.randrange(len(flipped))] ^= 1 << rng.randrange(8)
    return bytes(flipped)


def flip_bits_of_a_segment(rng: random.Random, data: bytes, pictures: Sequence[bytes]) -> bytes:
    pieces = _pieces(data)
    index = _chosen(rng, pieces)
    if index is not None:
        pieces[index] = flip_bits(rng, pieces[index], pictures)
    return b"".join(pieces)


def overwrite(rng: random.Random, data: bytes, _pictures: Sequence[bytes]) -> bytes:
    position = rng.randrange(len(data) + 1)
    return _overwritten(data, position, rng.choice((b"\0", b"\xff", b"\x7f", b"\x80", _junk(rng))))


def truncate(rng: random.Random, data: bytes, _pictures: Sequence[bytes]) -> bytes:
    return data[: rng.randrange(len(data) + 1)] + rng.choice((b"", b"", b"\xff\xd9"))


def cut_out(rng: random.Random, data: bytes, _pictures: Sequence[bytes]) -> bytes:
    first, last = sorted(rng.randrange(len(data) + 1) for _ in range(2))
    return data[:first] + data[min(last, first + rng.choice((1, 2, 10, 1000))) :]


def insert_junk(rng: random.Random, data: bytes, _pictures: Sequence[bytes]) -> bytes:
    position = rng.randrange(len(data) + 1)
    return data[:position] + _junk(rng) + data[position:]


def insert_junk_between_segments(rng: random.Random, data: bytes, _pictures: Sequence[bytes]) -> bytes:
    pieces = _pieces(data)
    pieces.insert(rng.randrange(1, len(pieces) + 1), _junk(rng))
    return b"".join(pieces)


def drop_segment(rng: random.Random, data: bytes, _pictures: Sequence[bytes]) -> bytes:
    pieces = _pieces(data)
    del pieces[rng.randrange(len(pieces))]
    return b"".join(pieces)


def double_segment(rng: random.Random, data: bytes, _pictures: Sequence[bytes]) -> bytes:
    pieces = _pieces(data)
    piece = rng.choice(pieces)
    for _ in range(rng.choice((1, 1, 1, 3, 100))):
        pieces.insert(rng.randrange(len(pieces) + 1), piece)
    return b"".join(pieces)


def reorder_segments(rng: random.Random, data: bytes, _pictures: Sequence[bytes]) -> bytes:
    pieces = _pieces(data)
    first, second = (rng.randrange(len(pieces)) for _ in range(2))
    pieces[first], pieces[second] = pieces[second], pieces[first]
    return b"".join(pieces)


def lie_about_a_length(rng: random.Random, data: bytes, _pictures: Sequence[bytes]) -> bytes:
    pieces = _pieces(data)
    if (index := _chosen(rng, pieces)) is not None:
        told = int.from_bytes(pieces[index][2:4]) + rng.choice((-2, -1, 1, 2))
        wrong = rng.choice((told & 0xFFFF, rng.choice(_LENGTHS)))
        pieces[index] = _overwritten(pieces[index], 2, struct.pack(">H", wrong))
    return b"".join(pieces)


def rename_segment(rng: random.Random, data: bytes, _pictures: Sequence[bytes]) -> bytes:
    pieces = _pieces(data)
    if (index := _chosen(rng, pieces)) is not None:
        pieces[index] = _overwritten(pieces[index], 1, bytes([rng.choice((*_ODD_CODES, *_MORE_ODD_CODES))]))
    return b"".join(pieces)


def rename_frame(rng: random.Random, data: bytes, _pictures: Sequence[bytes]) -> bytes:
    """Baseline as progressive, lossless, arithmetic, hierarchical: the data fit none of them any more."""
    pieces = _pieces(data)
    if (index := _chosen(rng, pieces, _FRAMES)) is not None:
        pieces[index] = _overwritten(pieces[index], 1, bytes([rng.choice((*_FRAMES, 0xDE))]))
    return b"".join(pieces)


def lie_about_dimensions(rng: random.Random, data: bytes, _pictures: Sequence[bytes]) -> bytes:
    pieces = _pieces(data)
    if (index := _chosen(rng, pieces, _FRAMES)) is not None:
        size = struct.pack(">H", rng.choice((rng.choice(_SIZES), rng.randrange(300))))
        pieces[index] = _overwritten(pieces[index], rng.choice((5, 7)), size)
    return b"".join(pieces)


def lie_about_samples(rng: random.Random, data: bytes, _pictures: Sequence[bytes]) -> bytes:
    """The frame's precision, number of components, their ids, sampling factors and tables."""
    pieces = _pieces(data)
    if (index := _chosen(rng, pieces, _FRAMES)) is not None:
        position = rng.choice((4, *range(9, 22)))
        lie = rng.choice((0, 1, 2, 3, 4, 5, 8, 12, 16, 0x11, 0x12, 0x21, 0x22, 0x41, 0x44, 0x1F, 0xFF))
        pieces[index] = _overwritten(pieces[index], position, bytes([lie]))
    return b"".join(pieces)


def lie_about_a_scan(rng: random.Random, data: bytes, _pictures: Sequence[bytes]) -> bytes:
    """A scan's components, tables, spectral selection and approximation."""
    pieces = _pieces(data)
    if (index := _chosen(rng, pieces, (0xDA,))) is not None:
        position = rng.randrange(4, max(5, len(pieces[index])))
        lie = bytes([rng.choice((0, 1, 2, 3, 4, 5, 0x10, 0x11, 0x1F, 0x3F, 0x40, 0xA0, 0xFF))])
        pieces[index] = _overwritten(pieces[index], position, lie)
    return b"".join(pieces)


def lie_about_tables(rng: random.Random, data: bytes, _pictures: Sequence[bytes]) -> bytes:
    """Ids, precisions and counts of quantisation and Huffman tables."""
    pieces = _pieces(data)
    if (index := _chosen(rng, pieces, (0xDB, 0xC4))) is not None:
        position = rng.randrange(4, max(5, min(21, len(pieces[index]))))
        lie = bytes([rng.choice((0, 1, 2, 3, 4, 0x0F, 0x10, 0x13, 0x14, 0x1F, 0x80, 0xFF))])
        pieces[index] = _overwritten(pieces[index], position, lie)
    return b"".join(pieces)


def add_frame(rng: random.Random, data: bytes, pictures: Sequence[bytes]) -> bytes:
    """A second frame, or what a careless reader takes for one, with other dimensions."""
    pieces = _pieces(data)
    frame = _chosen(rng, pieces, _FRAMES)
    if frame is None:
        return data
    other = lie_about_dimensions(rng, pieces[frame], pictures)
    hidden = rng.choice(
        (
            other,
            _overwritten(other, 1, b"\xde"),
            *(_segment(code, other) for code in (0xC8, 0xE1, 0xF0, 0xFD, 0xFE)),
            b"\xff\xdc\0\4" + struct.pack(">H", rng.choice(_SIZES)),
        )
    )
    pieces.insert(rng.randrange(1, len(pieces) + 1), hidden)
    return b"".join(pieces)


def tell_lines_later(rng: random.Random, data: bytes, _pictures: Sequence[bytes]) -> bytes:
    """DNL (T.81, B.2.5): no height in the frame, the number of lines after the first scan."""
    pieces = _pieces(data)
    frame, scan = _chosen(rng, pieces, _FRAMES), _chosen(rng, pieces, (0xDA,))
    if frame is not None and rng.random() < 0.7:
        pieces[frame] = _overwritten(pieces[frame], 5, b"\0\0")
    if scan is not None:
        pieces.insert(scan + rng.choice((0, 1, 2)), _segment(0xDC, struct.pack(">H", rng.choice(_SIZES))))
    return b"".join(pieces)


def bomb_of_scans(rng: random.Random, data: bytes, _pictures: Sequence[bytes]) -> bytes:
    pieces = _pieces(data)
    if (scan := _chosen(rng, pieces, (0xDA,))) is not None:
        repeated = pieces[scan : scan + rng.choice((1, 2))]
        pieces[scan:scan] = repeated * rng.choice((1, 2, 10, 60, 63, 64, 65, 200))
    return b"".join(pieces)


def restart_otherwise(rng: random.Random, data: bytes, _pictures: Sequence[bytes]) -> bytes:
    pieces = _pieces(data)
    interval = struct.pack(">H", rng.choice((0, 1, 2, 3, 8, 255, 65_535)))
    pieces.insert(rng.randrange(1, len(pieces)), _segment(0xDD, interval))
    return b"".join(pieces)


def add_application(rng: random.Random, data: bytes, pictures: Sequence[bytes]) -> bytes:
    """Application segments that lie about what they hold, one or a crowd of them."""
    pieces = _pieces(data)
    body = rng.choice((*_APPLICATIONS, *_MORE_APPLICATIONS)) + rng.choice(
        (b"", rng.randbytes(rng.randrange(60)), bytes(30), b"\xff" * 30, rng.choice(pictures)[:2000])
    )
    added = _segment(rng.choice((0xE0, 0xE1, 0xE1, 0xE2, 0xED, 0xEE, 0xEE, 0xFE)), body)
    position = rng.randrange(1, len(pieces))
    pieces[position:position] = [added] * rng.choice((1, 1, 1, 2, 100))
    return b"".join(pieces)


def splice(rng: random.Random, data: bytes, pictures: Sequence[bytes]) -> bytes:
    """The head of one file on the tail of another, at any byte."""
    other = rng.choice(pictures)
    return data[: rng.randrange(len(data) + 1)] + other[rng.randrange(len(other)) :]


def splice_segments(rng: random.Random, data: bytes, pictures: Sequence[bytes]) -> bytes:
    """The same between segments: tables, frame and scans of two pictures."""
    pieces, others = _pieces(data), _pieces(rng.choice(pictures))
    return b"".join(pieces[: rng.randrange(1, len(pieces))] + others[rng.randrange(1, len(others)) :])


def swap_a_segment(rng: random.Random, data: bytes, pictures: Sequence[bytes]) -> bytes:
    pieces, others = _pieces(data), _pieces(rng.choice(pictures))
    pieces[rng.randrange(len(pieces))] = rng.choice(others)
    return b"".join(pieces)


def make_polyglot(rng: random.Random, data: bytes, pictures: Sequence[bytes]) -> bytes:
    """A JPEG that is something else too, by what stands before, after or within it."""
    host = rng.choice((*_HOSTS.values(), rng.choice(pictures)))
    within = data[:2] + _segment(rng.choice((0xE0, 0xE5, 0xFE)), host[:60_000]) + data[2:]
    return rng.choice((host + data, data + host, data + host, within, within))


MUTATORS: Sequence[Mutator] = (
    flip_bits,
    flip_bits,
    flip_bits_of_a_segment,
    overwrite,
    truncate,
    cut_out,
    insert_junk,
    insert_junk_between_segments,
    drop_segment,
    double_segment,
    reorder_segments,
    lie_about_a_length,
    rename_segment,
    rename_frame,
    lie_about_dimensions,
    lie_about_samples,
    lie_about_samples,
    lie_about_a_scan,
    lie_about_a_scan,
    lie_about_tables,
    lie_about_tables,
    add_frame,
    tell_lines_later,
    bomb_of_scans,
    restart_otherwise,
    add_application,
    splice,
    splice_segments,
    swap_a_segment,
    make_polyglot,
)
