"""GET /results answers only with rows that match, whatever is asked for, and never fails."""

import sqlite3
from collections.abc import Callable
from urllib.parse import quote, urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.faults.wire import Answer, ask, head
from verification.kit.daemon import DaemonProcess
from verification.kit.pictures import jpeg

pytestmark = pytest.mark.timeout(240)

NAMES = [
    "cat.jpg",
    "c%t.jpg",
    "c_t.jpg",
    "c*t.jpg",
    "' OR '1'='1",
    "x'; DROP TABLE results; --",
    "%",
    "猫.jpg",
]
ULID = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
ATTACKS = [
    "' OR '1'='1",
    "' OR 1=1 --",
    "1; DROP TABLE results",
    "' UNION SELECT * FROM outbox --",
    '" OR ""="',
    "%",
    "_",
    "*",
    "cat.jpg\0",
    "\0",
    "cat.jpg' --",
    "CAT.JPG",
    "cat.jpg ",
    "{'$ne': null}",
    "[]",
    "null",
    "NULL",
    "true",
    "-1",
    "0",
    "9" * 400,
    "1e400",
    "NaN",
    "\u202e\u2028",
    "\ud7ff\U0010ffff",
    "x" * 8000,
    "../../etc/passwd",
    "${jndi:ldap://127.0.0.1/x}",
    "{{7*7}}",
    "%s%n",
    "2026-01-01",
    "2026-13-45T99:99:99Z",
    "0000-00-00T00:00:00Z",
    "9999-12-31T23:59:59+99:99",
    "9999-12-31T23:59:59-23:59",
    "0001-01-01T00:00:00+23:59",
    "2026-01-01T00:00:00Z' OR '1'='1",
    ULID + "' OR '1'='1",
    ULID.lower(),
    "8" + ULID[1:],
    "٣" * 26,
]
FILTERS = ["label", "status", "source", "name", "sha256", "since", "until", "limit", "cursor"]
RAW = [
    "name=%ff%fe",
    "name=%",
    "name=%zz",
    "name=%00%0a",
    "name[]=cat.jpg",
    "name[$ne]=x",
    "limit=1001",
    "limit=0",
    "limit=-1",
    "limit=1.5",
    "limit=0x10",
    "limit=%2b5",
    "limit=1_0",
    "limit=٥",
    "limit=",
    "cursor=",
    "sha256=" + "0" * 63,
    "sha256=" + "g" * 64,
    "sha256=" + "0" * 64 + "%0a",
    "cursor=" + ULID + "%0a",
    "status=classified%0a",
    "status=CLASSIFIED",
    "since=2026-01-01T00:00:00Z%0a",
    "&" * 5000,
    "a=" * 3000,
    ";".join(["name=cat.jpg"] * 100),
]


@pytest.fixture(scope="module")
def daemon(tmp_path_factory):
    home = tmp_path_factory.mktemp("results")
    with DaemonProcess(home, {"CLASSIFYD_INBOX__ENABLED": "false"}) as running:
        for name in NAMES:
            form = (
                b'--b\r\nContent-Disposition: form-data; name="image"; filename="%b"\r\n\r\n%b\r\n--b--\r\n'
            )
            body = form % (name.encode(), jpeg("red"))
            lines = ["Content-Type: multipart/form-data; boundary=b", f"Content-Length: {len(body)}"]
            assert ask(running, head("POST", "/classify/resnet", *lines) + body).status == 200
        yield running
        assert "exception" not in running.log.read_text()


def results(daemon: DaemonProcess, query: str) -> Answer:
    return ask(daemon, head("GET", f"/results?{query}"))


def matching(rows: list[dict], filters: dict[str, str]) -> list[str]:
    """The rows that a filter's words ask for, by the database file itself and Python's own comparisons."""
    compare: dict[str, Callable[[dict, str], bool]] = {
        "label": lambda row, value: row["label"] == value,
        "status": lambda row, value: row["status"] == value,
        "source": lambda row, value: row["source"] == value,
        "name": lambda row, value: row["name"] == value,
        "sha256": lambda row, value: row["sha256"] == value,
        "cursor": lambda row, value: row["id"] < value,
    }
    chosen = [
        row["id"]
        for row in reversed(rows)
        if all(compare[key](row, value) for key, value in filters.items() if key in compare)
    ]
    return chosen[: int(filters.get("limit", "50"))]


def check(daemon: DaemonProcess, filters: dict[str, str], answer: Answer) -> None:
    """Refused in words, or exactly the rows that match; times of change are told by the others."""
    assert answer.status in (200, 422), (filters, answer)
    if answer.status == 422:
        assert answer.is_problem
        return
    found = [result["id"] for result in answer.document["results"]]
    wanted = matching(daemon.rows(), filters)
    timed = {"since", "until"} & filters.keys()
    assert set(found) <= set(wanted) if timed else found == wanted, filters


@pytest.mark.parametrize("key", FILTERS)
def test_an_attack_on_one_filter_gets_what_matches_or_a_refusal(daemon, key):
    before = daemon.rows()
    for attack in [*ATTACKS, *NAMES]:
        check(daemon, {key: attack}, results(daemon, urlencode({key: attack})))
    assert daemon.rows() == before


@pytest.mark.parametrize("query", RAW, ids=range(len(RAW)))
def test_a_query_that_is_none_is_answered_all_the_same(daemon, query):
    answer = results(daemon, quote(query, safe="%&=;[]$+"))
    assert answer.status in (200, 422)
    assert answer.status == 200 or answer.is_problem


@settings(max_examples=100, suppress_health_check=list(HealthCheck))
@given(
    filters=st.dictionaries(
        st.sampled_from([key for key in FILTERS if key not in ("since", "until")]),
        st.text(st.characters(exclude_categories=["Cs"]), max_size=40) | st.sampled_from([*NAMES, ULID, "5"]),
        max_size=4,
    )
)
def test_any_filters_get_what_matches_or_a_refusal(daemon, filters):
    check(daemon, filters, results(daemon, urlencode(filters)))


def test_times_bound_what_is_found(daemon):
    first, *_, last = (row["classified_at"] for row in daemon.rows())
    assert results(daemon, urlencode({"since": "0001-01-01T00:00:00Z", "limit": 1000})).document["results"]
    assert not results(daemon, urlencode({"until": first})).document["results"]
    assert not results(daemon, urlencode({"since": "9999-12-31T00:00:00Z"})).document["results"]
    assert results(daemon, urlencode({"since": last})).document["results"]


def test_a_cursor_that_was_tampered_with_is_but_a_place_in_the_order(daemon):
    """It is a result's id and holds nothing else: no filter, no statement, no right."""
    page = results(daemon, urlencode({"limit": 2, "name": "cat.jpg"})).document
    assert page["next"] is None
    first = results(daemon, "limit=2").document
    assert "cursor=" in first["next"]
    cursor = first["results"][-1]["id"]
    for tampered in ("7" + "Z" * 25, "0" * 26, cursor[:-1] + "0", cursor[:-1] + "Z"):
        check(daemon, {"cursor": tampered}, results(daemon, f"cursor={tampered}"))


def test_the_link_to_the_next_page_cannot_be_split(daemon):
    answer = results(daemon, "limit=1&x=%0d%0aSet-Cookie:%20a=b&y=%3E;%20rel=%22x")
    assert answer.status == 200
    assert "set-cookie" not in answer.headers
    assert answer.headers["link"].endswith('>; rel="next"')
    assert answer.headers["link"].count("<") == 1


@pytest.mark.parametrize("given_id", ["' OR '1'='1", "%00", ULID + "'", "..", "*", "٣" * 26, "x" * 8000])
def test_an_id_that_is_none_finds_nothing(daemon, given_id):
    answer = ask(daemon, head("GET", f"/results/{quote(given_id, safe='%')}"))
    assert answer.status in (404, 422)
    assert answer.is_problem


def test_the_database_is_whole_afterwards(daemon):
    with sqlite3.connect(f"file:{daemon.database}?mode=ro", uri=True) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()
    assert daemon.count() == len(NAMES)
