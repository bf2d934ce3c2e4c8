"""The gate's verdicts, on real JPEGs made with Pillow and on hostile ones made by hand."""

import io
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as Pillow

from classifyd.core.gate import MAX_SEGMENTS, SCANS_AT_MAX_PIXELS, Inspection, Limits, inspect
from classifyd.core.values import Reason

LIMITS = Limits()


def picture(mode="RGB", size=(40, 24), form="JPEG", **options):
    """A JPEG with enough texture to fill its scans with stuffed zeros and restart markers."""
    noise = Pillow.effect_noise(size, 80).convert(mode)
    target = io.BytesIO()
    noise.save(target, form, **options)
    return target.getvalue()


def segment(code, body=b""):
    return struct.pack(">BBH", 0xFF, code, len(body) + 2) + body


def frame(width, height, code=0xC0):
    return segment(code, struct.pack(">BHHB", 8, height, width, 1) + b"\x01\x11\x00")


SCAN = segment(0xDA, b"\x01\x01\x00\x00\x3f\x00") + b"\x12\xff\x00\x34"


def by_hand(*parts):
    return b"\xff\xd8" + b"".join(parts) + b"\xff\xd9"


def reason(data, limits=LIMITS):
    refusal = inspect(data, limits).refusal
    return refusal and refusal.reason


REAL = {
    "baseline": picture(quality=90),
    "progressive": picture(progressive=True),
    "greyscale": picture("L"),
    "CMYK": picture("CMYK"),
    "restart markers": picture(restart_marker_blocks=1, quality=95),
    "thumbnail in EXIF": picture(exif=b"Exif\0\0" + picture(size=(8, 8))),
    "colour profile in pieces": picture(icc_profile=bytes(200_000)),
    "MPO": picture(form="MPO", save_all=True, append_images=[Pillow.new("RGB", (40, 24))]),
}


@pytest.mark.parametrize("data", REAL.values(), ids=REAL)
def test_a_real_jpeg_passes_with_its_dimensions(data):
    assert inspect(data, LIMITS) == Inspection(40, 24, None)


@pytest.mark.parametrize("name", sorted(REAL.keys() - {"MPO", "colour profile in pieces"}))
def test_a_jpeg_cut_anywhere_is_truncated(name):
    data = REAL[name]

    assert {reason(data[:length]) for length in range(1, len(data))} == {Reason.TRUNCATED}


def test_a_cut_jpeg_tells_its_dimensions_if_they_came():
    inspection = inspect(REAL["baseline"][:-2], LIMITS)

    assert (inspection.width, inspection.height) == (40, 24)


def test_an_mpo_cut_within_its_second_picture_passes():
    second = REAL["MPO"].rindex(b"\xff\xd8\xff")

    assert reason(REAL["MPO"][: second + 50]) is None


@given(st.binary(max_size=200))
def test_bytes_after_the_end_marker_are_allowed(tail):
    assert inspect(REAL["baseline"] + tail, LIMITS) == Inspection(40, 24, None)


@pytest.mark.parametrize(
    ("form", "kind"), [("PNG", "PNG"), ("GIF", "GIF"), ("BMP", "BMP"), ("TIFF", "TIFF"), ("WEBP", "WebP")]
)
def test_another_format_is_named(form, kind):
    target = io.BytesIO()
    Pillow.new("RGB", (8, 8)).save(target, form)

    refusal = inspect(target.getvalue(), LIMITS).refusal

    assert refusal.reason is Reason.NOT_A_JPEG
    assert kind in refusal.detail


@pytest.mark.parametrize(
    "data", [b"<html>no such page</html>", b"\0\0\0\x18ftypheic", bytes(20) + b"x", b"\x01"]
)
def test_what_starts_otherwise_is_no_jpeg(data):
    assert reason(data) is (Reason.TRUNCATED if not any(data[:16]) else Reason.NOT_A_JPEG)


def test_no_bytes_are_empty():
    assert inspect(b"", LIMITS) == Inspection(None, None, inspect(b"", LIMITS).refusal)
    assert reason(b"") is Reason.EMPTY


@pytest.mark.parametrize("length", [1, 10, 10_000])
def test_space_set_aside_for_an_upload_is_truncated(length):
    assert reason(bytes(length)) is Reason.TRUNCATED


def test_a_file_whose_end_is_still_zeros_is_truncated():
    data = REAL["baseline"]

    assert reason(data[: len(data) // 2] + bytes(len(data) // 2)) is Reason.TRUNCATED


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (by_hand(), Reason.NOT_A_JPEG),
        (by_hand(frame(8, 8)), Reason.NOT_A_JPEG),
        (by_hand(SCAN), Reason.NOT_A_JPEG),
        (by_hand(SCAN, frame(8, 8)), Reason.NOT_A_JPEG),
        (by_hand(segment(0xC0, b"\x08\0\x08"), SCAN), Reason.NOT_A_JPEG),
        (by_hand(b"\xff\xe0\0\x01", frame(8, 8), SCAN), Reason.NOT_A_JPEG),
        (by_hand(frame(8, 8), SCAN, by_hand(frame(8, 8), SCAN)), Reason.NOT_A_JPEG),
        (by_hand(frame(8, 0), SCAN, segment(0xDC, b"\0\x08")), Reason.UNDECODABLE),
        (by_hand(frame(0, 8), SCAN), Reason.UNDECODABLE),
        (by_hand(frame(8, 8), SCAN, frame(16, 16), SCAN), Reason.UNDECODABLE),
        (by_hand(segment(0xF7, bytes(6)), SCAN), Reason.NOT_A_JPEG),
    ],
    ids=[
        "nothing within", "no scan", "no frame", "scan before frame", "short frame header",
        "impossible length", "picture within the picture", "height told later", "no width",
        "several frames", "JPEG-LS",
    ],
)  # fmt: skip
def test_what_no_decoder_takes_is_refused(data, expected):
    assert reason(data) is expected


@pytest.mark.parametrize(
    "data",
    [
        by_hand(b"\xff\xff\xff", frame(8, 8), SCAN, b"\xff\xff"),
        by_hand(frame(8, 8), b"junk\xff\0", SCAN),
        by_hand(frame(8, 8), SCAN, b"\xff\xd0\x01\xff\xd1\x02"),
        by_hand(frame(8, 8), SCAN, segment(0xDC, b"\0\x08")),
        by_hand(segment(0xE1, by_hand(frame(9999, 9999), SCAN)), frame(8, 8), SCAN),
        by_hand(frame(8, 8, 0xC9), SCAN),
        by_hand(frame(8, 8), SCAN, b"\xff\x01\xff\x42"),
    ],
    ids=[
        "fill bytes",
        "junk",
        "restarts",
        "lines told",
        "thumbnail",
        "arithmetic coding",
        "reserved markers",
    ],
)
def test_what_a_decoder_may_take_passes(data):
    assert inspect(data, LIMITS) == Inspection(8, 8, None)


def test_bytes_over_the_limit_are_too_large_without_a_look():
    data = REAL["baseline"]

    assert inspect(data, Limits(max_bytes=len(data))).refusal is None
    assert reason(data, Limits(max_bytes=len(data) - 1)) is Reason.TOO_LARGE


def test_pixels_over_the_limit_are_too_large_before_the_rest_has_come():
    assert reason(REAL["baseline"], Limits(max_pixels=40 * 24)) is None
    assert reason(b"\xff\xd8" + frame(41, 24), Limits(max_pixels=40 * 24)) is Reason.TOO_LARGE


def test_scans_over_the_limit_are_too_complex():
    limits = Limits(max_scans=3)

    assert reason(by_hand(frame(8, 8), SCAN * 3), limits) is None
    assert reason(by_hand(frame(8, 8), SCAN * 4), limits) is Reason.TOO_COMPLEX


def test_a_picture_of_the_most_pixels_may_have_fewer_scans():
    limits = Limits(max_pixels=100, max_scans=1000)

    assert reason(by_hand(frame(10, 10), SCAN * SCANS_AT_MAX_PIXELS), limits) is None
    assert reason(by_hand(frame(10, 10), SCAN * (SCANS_AT_MAX_PIXELS + 1)), limits) is Reason.TOO_COMPLEX
    assert reason(by_hand(frame(5, 10), SCAN * 2 * SCANS_AT_MAX_PIXELS), limits) is None


def test_a_crowd_of_segments_is_too_complex():
    assert reason(by_hand(segment(0xE0) * MAX_SEGMENTS, frame(8, 8), SCAN)) is Reason.TOO_COMPLEX


@given(st.binary(max_size=300))
def test_any_bytes_get_a_verdict(data):
    inspect(data, LIMITS)
    inspect(b"\xff\xd8\xff" + data, LIMITS)


@given(
    st.lists(
        st.one_of(
            st.sampled_from([frame(8, 8), SCAN, b"\xff\xd8", b"\xff\xd9", b"\xff", b"\0"]),
            st.builds(segment, st.integers(0, 255), st.binary(max_size=12)),
        )
    )
)
def test_what_passes_has_a_frame_a_scan_and_an_end(parts):
    data = b"\xff\xd8" + b"".join(parts)
    inspection = inspect(data, LIMITS)

    if inspection.refusal is None:
        assert inspection.width
        assert inspection.height
        assert 0 < data.index(b"\xff\xda") < data.rindex(b"\xff\xd9")


@given(st.data())
def test_a_damaged_jpeg_gets_a_verdict(data):
    damaged = bytearray(REAL["progressive"])
    for position in data.draw(st.lists(st.integers(0, len(damaged) - 1), min_size=1, max_size=5)):
        damaged[position] = data.draw(st.integers(0, 255))

    inspect(bytes(damaged), LIMITS)


@given(
    mode=st.sampled_from(["L", "RGB", "CMYK"]),
    size=st.tuples(st.integers(1, 70), st.integers(1, 70)),
    quality=st.integers(1, 100),
    progressive=st.booleans(),
    optimize=st.booleans(),
    subsampling=st.integers(0, 2),
    restart_marker_blocks=st.integers(0, 3),
    comment=st.binary(max_size=100),
)
def test_whatever_an_encoder_writes_passes_with_its_dimensions(mode, size, **options):
    assert inspect(picture(mode, size, **options), LIMITS) == Inspection(*size, None)
