"""Names as text: reversible, printable, one line."""

import os
import sys

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from classifyd.core import names

any_name = st.one_of(st.binary(), st.text().map(lambda text: text.encode("utf-8", "surrogatepass")))


@given(any_name)
@example(b"100%25.jpg")
@example("\u2028\x85".encode())
@example(b"\xed\xa0\x80")
def test_decode_turns_back_into_the_same_bytes(name):
    assert names.decode(names.encode(name)) == name


@given(any_name)
@example("\u2028\u2029\x0b\x0c\x1c\x85".encode())
@example(b"\xff\xfe\x00\x7f")
def test_encoded_text_is_one_line_of_plain_utf8(name):
    text = names.encode(name)
    text.encode("utf-8")
    assert len(text.splitlines()) <= 1
    assert not any(ord(char) < 0x20 or 0x7F <= ord(char) < 0xA0 for char in text)


def test_what_python_calls_printable_holds_nothing_to_encode_but_the_percent_sign():
    """`encode` goes by it."""
    unsafe = filter(names._UNSAFE.match, map(chr, range(sys.maxunicode + 1)))
    assert [char for char in unsafe if char.isprintable()] == ["%"]


@given(any_name, any_name)
def test_different_names_stay_different(one, other):
    assert (names.encode(one) == names.encode(other)) == (one == other)


@pytest.mark.parametrize(
    "name", ["cat.jpg", "Katze im Schnee.JPG", "貓.jpeg", "a+b&c=d.jpg", "ünïcödé/x.jpg"]
)
def test_an_ordinary_name_stands_as_it_is(name):
    assert names.encode(name.encode()) == name


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (b"100%.jpg", "100%25.jpg"),
        (b"two\nlines.jpg", "two%0Alines.jpg"),
        (b"caf\xe9.jpg", "caf%E9.jpg"),
        ("\u2028".encode(), "%E2%80%A8"),
    ],
)
def test_what_cannot_stand_is_percent_encoded_byte_by_byte(name, text):
    assert names.encode(name) == text


@given(st.binary(min_size=1).filter(lambda name: b"\x00" not in name))
def test_a_path_comes_back_as_the_file_system_gave_it(name):
    path = os.fsdecode(name)
    assert names.decode_path(names.encode_path(path)) == path


def test_a_file_with_any_name_is_found_again_through_its_text(tmp_path):
    path = os.path.join(os.fsencode(tmp_path), b"caf\xe9\n100%.jpg")  # noqa: PTH118 (bytes have no Path)
    with open(path, "wb"):  # noqa: PTH123
        pass
    (found,) = tmp_path.iterdir()
    assert os.path.exists(names.decode_path(names.encode_path(found)))  # noqa: PTH110


@pytest.mark.parametrize(
    "text", ["a\nb", "a\r\x1b[2Jb", "a\x85b", "a\u2028b", "a\u202eb", "a\u2066b", "\udc80"]
)
def test_foreign_text_cannot_leave_its_line_nor_steer_a_terminal(text):
    shown = names.printable(text)
    assert shown.isprintable()
    assert len(shown.splitlines()) == 1


def test_other_foreign_text_is_shown_as_it_is():
    assert names.printable("Größe 100 % \\ 猫") == "Größe 100 % \\ 猫"


def test_a_text_that_no_path_can_be_is_refused():
    with pytest.raises(ValueError, match="null byte: a%00b"):
        names.decode_path("a%00b")
