"""The oracle itself: it is silent about a sound world and speaks about every broken promise."""

from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from verification.faults import oracle
from verification.faults.evidence import Folders, Found, Message, Row, sha256
from verification.faults.oracle import Answered, Dropped, Inputs, Produced

GOOD_FILE, BAD_FILE = Dropped("good.jpg", "a" * 64), Dropped("sub/bad.jpg", "b" * 64, good=False)
GOOD_RECORD, BAD_RECORD = Produced(0, 7, "c" * 64), Produced(1, 9, "d" * 64, good=False)
INPUTS = Inputs((GOOD_FILE, BAD_FILE), (GOOD_RECORD, BAD_RECORD))


def row(name: str, source: str, good: bool, **values) -> Row:
    ordinary = {
        "id": f"id-{name}",
        "origin": f"origin-{name}",
        "source": source,
        "status": "classified" if good else "rejected",
        "path": None,
        "stored_path": None,
        "topic": None,
        "partition": None,
        "offset": None,
        "error_code": None if good else "not_a_jpeg",
    }
    return Row(**(ordinary | values))


ROWS = [
    row("1", "folder", True, path="good.jpg", stored_path="/done/good.jpg", sha256="a" * 64),
    row("2", "folder", False, path="sub/bad.jpg", stored_path="/failed/sub/bad.jpg", sha256="b" * 64),
    row("3", "kafka", True, topic="pictures", partition=0, offset=7, sha256="c" * 64),
    row("4", "kafka", False, topic="pictures", partition=1, offset=9, sha256="d" * 64),
]
FOLDERS = Folders(
    inbox=(),
    done=(Found(Path("/done/good.jpg"), "a" * 64),),
    failed=(Found(Path("/failed/sub/bad.jpg"), "b" * 64),),
    sidecars=frozenset({Path("/failed/sub/bad.jpg.error.json")}),
)


def message(one: Row, **values) -> Message:
    document = {"id": one.id, "origin": one.origin, **values}
    return Message({"ce_id": one.id.encode()}, None, orjson.dumps(document))


MESSAGES = [message(one) for one in ROWS]


def test_it_is_silent_about_a_sound_world():
    assert oracle.rows_at_rest(INPUTS, ROWS) == []
    assert oracle.rows_under_way(INPUTS, ROWS[:1]) == []
    assert oracle.files_at_rest(INPUTS, ROWS, FOLDERS) == []
    assert oracle.files_under_way(INPUTS, FOLDERS) == []
    assert oracle.messages(ROWS, [*MESSAGES, MESSAGES[0]]) == []
    assert oracle.duplicates([*MESSAGES, MESSAGES[0]]) == 1
    assert oracle.offsets(INPUTS, ROWS, {0: 8, 1: 10}) == []


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        (ROWS[1:], "file good.jpg: 0 rows"),
        (ROWS[:3], "record 1/9: 0 rows"),
        ([*ROWS, replace(ROWS[0], id="again", origin="again")], "file good.jpg: 2 rows"),
        ([*ROWS, replace(ROWS[2], id="again", origin="again")], "record 0/7: 2 rows"),
        ([replace(ROWS[0], status="rejected", error_code="truncated"), *ROWS[1:]], "rejected (truncated)"),
        ([replace(ROWS[0], path="other.jpg"), *ROWS[1:]], "has the path other.jpg"),
        ([*ROWS[:2], replace(ROWS[2], sha256="e" * 64), ROWS[3]], "the hash of another"),
        ([*ROWS, row("5", "folder", True, path="stranger.jpg", sha256="e" * 64)], "nobody dropped"),
        ([*ROWS, row("5", "kafka", True, partition=3, offset=3, sha256="e" * 64)], "nobody produced"),
    ],
)
def test_it_tells_a_wrong_row(rows, told):
    assert told in "\n".join(oracle.rows_at_rest(INPUTS, rows))


def test_it_tells_two_rows_of_one_picture_at_any_moment():
    twice = [ROWS[0], replace(ROWS[0], id="again", origin="again")]
    assert len(oracle.rows_under_way(INPUTS, twice)) == 1


def test_a_file_over_the_limit_is_found_by_its_path_since_it_is_not_hashed():
    unread = replace(ROWS[1], sha256=None)
    rows = [ROWS[0], unread, *ROWS[2:]]
    assert oracle.rows_at_rest(INPUTS, rows) == []
    assert oracle.files_at_rest(INPUTS, rows, FOLDERS) == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"done": ()}, "in 0 places"),
        ({"inbox": (Found(Path("/inbox/good.jpg"), "a" * 64),)}, "in 2 places"),
        ({"done": (Found(Path("/done/elsewhere.jpg"), "a" * 64),)}, "its row says /done/good.jpg"),
        ({"done": (*FOLDERS.done, Found(Path("/done/stranger.jpg"), "e" * 64))}, "nobody dropped it"),
        ({"sidecars": frozenset()}, "bad.jpg.error.json: missing"),
        ({"sidecars": FOLDERS.sidecars | {Path("/failed/x.error.json")}}, "a sidecar without its picture"),
    ],
)
def test_it_tells_a_file_in_the_wrong_place(change, told):
    assert told in "\n".join(oracle.files_at_rest(INPUTS, ROWS, replace(FOLDERS, **change)))


def test_it_tells_a_file_that_was_not_deleted():
    told = oracle.files_at_rest(INPUTS, ROWS, FOLDERS, after="delete")
    assert told == ["file good.jpg: not deleted from /done/good.jpg"]


def test_it_tells_a_file_that_is_gone_or_overwritten_at_any_moment():
    assert oracle.files_under_way(INPUTS, replace(FOLDERS, done=())) == ["file good.jpg: gone"]


def test_it_tells_a_message_that_is_missing_changed_its_id_or_came_from_nowhere():
    assert "no message" in oracle.messages(ROWS, MESSAGES[1:])[0]
    stranger = message(row("5", "http", True, sha256="e" * 64))
    assert "there is no such row" in oracle.messages(ROWS, [*MESSAGES, stranger])[0]
    other_id = message(ROWS[1], origin=ROWS[0].origin)
    assert "published as" in oracle.messages(ROWS, [*MESSAGES, other_id])[0]


def test_it_tells_an_offset_past_a_hole():
    assert oracle.offsets(INPUTS, ROWS[:3], {0: 8, 1: 10}) == [
        "partition 1: committed at 10, past record 9 that has no row"
    ]
    assert oracle.offsets(INPUTS, ROWS[:3], {0: 8, 1: 9}) == []


def test_it_tells_a_dead_letter_that_is_missing_changed_or_wrong():
    rejected = ROWS[3]
    value = b"not a picture"
    inputs = Inputs((), (replace(BAD_RECORD, sha256=sha256(value)),))
    letter = Message({"classifyd-origin": rejected.origin.encode()}, None, value)
    assert oracle.dead_letters(inputs, [rejected], [letter]) == []
    assert "no dead letter" in oracle.dead_letters(inputs, [rejected], [])[0]
    assert "other bytes" in oracle.dead_letters(inputs, [rejected], [replace(letter, value=b"x")])[0]
    assert "not rejected" in oracle.dead_letters(inputs, [], [letter])[0]
    omitted = replace(letter, headers={**letter.headers, "classifyd-value-omitted": b"13"}, value=b"")
    assert oracle.dead_letters(inputs, [rejected], [omitted]) == []


def test_a_request_has_the_row_of_its_answer_and_a_refused_one_has_none():
    posted = row("9", "http", True, sha256="e" * 64)
    answered, refused = Answered(200, "id-9", "e" * 64), Answered(400, "", "f" * 64)
    assert oracle.rows_of_requests([answered, refused], [*ROWS, posted]) == []
    assert oracle.rows_of_requests([replace(answered, status=504, id="")], [posted]) == []
    assert oracle.rows_of_requests([replace(answered, status=0, id="")], []) == []


@pytest.mark.parametrize(
    ("answered", "rows"),
    [
        ([Answered(200, "id-9", "e" * 64)], []),
        ([Answered(200, "id-8", "e" * 64)], [row("9", "http", True, sha256="e" * 64)]),
        ([Answered(200, "id-9", "e" * 64)], [row("9", "http", True, sha256="e" * 64)] * 2),
        ([Answered(503, "", "e" * 64)], [row("9", "http", True, sha256="e" * 64)]),
        ([], [row("9", "http", True, sha256="e" * 64)]),
    ],
)
def test_a_request_without_its_row_and_a_row_without_its_request_are_told(answered, rows):
    assert len(oracle.rows_of_requests(answered, rows)) == 1
