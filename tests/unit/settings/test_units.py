import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifyd.settings import units


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("500ms", 0.5),
        ("30s", 30),
        ("1.5h", 5400),
        ("5m", 300),
        ("90d", 7_776_000),
        ("2w", 1_209_600),
        (" 3 s ", 3),
    ],
)
def test_durations_are_seconds(text, seconds):
    assert units.duration(text) == seconds


@pytest.mark.parametrize(
    ("text", "count"),
    [("512B", 512), ("64MiB", 67_108_864), ("10MB", 10_000_000), ("1.5KiB", 1536), ("2GB", 2 * 10**9)],
)
def test_sizes_are_bytes(text, count):
    assert units.size(text) == count


@pytest.mark.parametrize(
    ("text", "count"), [("128M", 128_000_000), ("24MP", 24_000_000), ("500000px", 500_000)]
)
def test_pixel_counts(text, count):
    assert units.pixels(text) == count


@pytest.mark.parametrize("parse", [units.duration, units.size, units.pixels])
@pytest.mark.parametrize("bare", [30, 1.5, "30", " 7 ", "0"])
def test_a_bare_number_needs_a_unit(parse, bare):
    with pytest.raises(ValueError, match=r"needs a unit: write a .* such as"):
        parse(bare)


@pytest.mark.parametrize("parse", [units.duration, units.size, units.pixels])
def test_an_unknown_unit_is_named(parse):
    with pytest.raises(ValueError, match="unknown unit 'parsec'"):
        parse("3 parsec")


@pytest.mark.parametrize("parse", [units.duration, units.size, units.pixels])
@pytest.mark.parametrize("text", ["", "soon", "-3s", "1e3s", "3s4s", "٣s", None, [], "infs", "nans"])
def test_what_is_no_quantity_is_not_understood(parse, text):
    with pytest.raises(ValueError, match="write a"):
        parse(text)


@given(st.integers(0, 10**12))
def test_whole_seconds_survive_being_written(seconds):
    assert units.duration(units.duration_text(seconds)) == seconds


@given(st.integers(0, 10**9))
def test_milliseconds_survive_being_written(milliseconds):
    seconds = milliseconds / 1000
    assert units.duration(units.duration_text(seconds)) == pytest.approx(seconds, rel=1e-12)


@given(st.integers(0, 2**53))
def test_sizes_survive_being_written(count):
    assert units.size(units.size_text(count)) == count


@given(st.integers(0, 2**53))
def test_pixel_counts_survive_being_written(count):
    assert units.pixels(units.pixels_text(count)) == count


@given(st.text() | st.from_regex(r"[0-9]+(\.[0-9]+)?[a-zA-Z]{0,3}"))
def test_any_text_is_a_duration_or_refused_in_words(text):
    try:
        seconds = units.duration(text)
    except ValueError as error:
        refused = str(error)
    else:
        assert 0 <= seconds < 1e22
        return
    assert "write a duration" in refused
