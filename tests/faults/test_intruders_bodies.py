"""Bodies that are too large, lie about their size or are built to cost more than they weigh."""

import contextlib
import gzip
import itertools
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.faults.wire import BOUND, Answer, connect, head, metric, read_answer
from verification.kit.daemon import DaemonProcess
from verification.kit.pictures import jpeg
from verification.kit.process import memory

pytestmark = pytest.mark.timeout(240)

MIB = 2**20
LARGEST = 4 * MIB
SENT = 48 * MIB
"""What an attack would bring, if it were let: many times what may be held."""
ROOM = 48 * MIB
"""What the daemon may grow by in a test: the bytes under way, twice while they are joined, what connections
buffer, and what the allocator keeps."""
SETTINGS = {
    "CLASSIFYD_LIMITS__MAX_BYTES": "4MiB",
    "CLASSIFYD_INTAKE__MAX_BYTES": "8MiB",
    "CLASSIFYD_HTTP__DEADLINE": "5s",
    "CLASSIFYD_INBOX__ENABLED": "false",
}
FORM = "Content-Type: multipart/form-data; boundary=b"
CHUNKED = "Transfer-Encoding: chunked"
IMAGE = b'--b\r\nContent-Disposition: form-data; name="image"; filename="a.jpg"\r\n\r\n'
PICTURE = jpeg("red")


@pytest.fixture(scope="module")
def daemon(tmp_path_factory):
    with DaemonProcess(tmp_path_factory.mktemp("bodies"), SETTINGS) as running:
        for _ in range(3):
            assert post(running, [], [PICTURE]).status == 200
        yield running


@pytest.fixture(autouse=True)
def bounded(daemon) -> Iterator[None]:
    """Whatever is sent: the daemon stays within its bounds, gives back what it held, and answers others."""
    before = memory(daemon.pid)
    yield
    grown = memory(daemon.pid) - before
    assert grown < ROOM, f"{grown / MIB:.0f} MiB more than before"
    daemon.wait_until(
        lambda: metric(daemon, 'classifyd_intake_bytes{lane="interactive",model="resnet"}') == 0,
        BOUND,
        "without bytes under way",
    )
    assert post(daemon, [], [PICTURE]).status == 200


def post(daemon: DaemonProcess, lines: list[str], body: list[bytes], declared: int | None = None) -> Answer:
    """Posts a body in pieces, with what it weighs or what is declared, or as chunks where that is said."""
    chunked = CHUNKED in lines
    if not chunked:
        lines = [*lines, f"Content-Length: {sum(map(len, body)) if declared is None else declared}"]
    with connect(daemon) as connection:
        connection.sendall(head("POST", "/classify/resnet", *lines))
        with contextlib.suppress(ConnectionError):  # the daemon need not take it all
            for piece in body:
                connection.sendall(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
            connection.sendall(b"0\r\n\r\n" if chunked else b"")
        return read_answer(connection)


def pieces(data: bytes, size: int = SENT) -> list[bytes]:
    """So many bytes of the same again and again, in pieces of about 64 KiB."""
    piece = data * max(1, 2**16 // len(data))
    return [piece] * (size // len(piece))


def is_told(answer: Answer, *statuses: int) -> bool:
    return answer.is_problem and answer.status in statuses


@pytest.mark.parametrize("lines", [[CHUNKED], [CHUNKED, FORM], [], [FORM]], ids=str)
def test_a_body_without_an_end_is_cut_off(daemon, lines):
    start = [IMAGE] if FORM in lines else []
    assert is_told(post(daemon, lines, [*start, *pieces(b"x")]), 413)


def test_a_body_of_crumbs_takes_no_more_than_its_bytes(daemon):
    crumbs = [b"xy"] * 100_000
    assert is_told(post(daemon, [CHUNKED], crumbs), 400)


def test_a_declared_size_that_no_body_may_have_is_refused_before_it_is_sent(daemon):
    with connect(daemon) as connection:
        connection.sendall(
            head("POST", "/classify/resnet", f"Content-Length: {10**18}", "Expect: 100-continue")
        )
        assert is_told(read_answer(connection), 413)


def test_more_than_was_declared_is_no_part_of_the_picture(daemon):
    answer = post(daemon, [], [PICTURE, *pieces(b"x")], declared=len(PICTURE))
    assert answer.status == 200


def test_less_than_was_declared_is_not_recorded(daemon):
    before = daemon.count()
    with connect(daemon) as connection:
        connection.sendall(head("POST", "/classify/resnet", f"Content-Length: {len(PICTURE) + 1}"))
        connection.sendall(PICTURE)
    with connect(daemon) as connection:
        connection.sendall(head("POST", "/classify/resnet", CHUNKED) + b"%x\r\n" % len(PICTURE) + PICTURE)
    with connect(daemon) as connection:
        connection.sendall(head("POST", "/classify/resnet", f"Content-Length: {len(PICTURE) + 1}"))
        connection.sendall(PICTURE)
        assert is_told(read_answer(connection), 408)
    assert daemon.count() == before


@pytest.mark.parametrize(
    ("body", "statuses"),
    [
        ([b"--b\r\nX: ", *pieces(b"x")], (400, 413)),
        ([b"--b\r\n", *pieces(b"X: x\r\n")], (400, 413)),
        (pieces(b"--b\r\n\r\n\r\n"), (400, 413)),
        (pieces(b"--b\r\n\r\n\r\n", LARGEST), (400,)),
        (pieces(b'--b\r\nContent-Disposition: form-data; name="image"\r\n\r\nx\r\n'), (400, 413)),
        (pieces(b"\r\n"), (400, 413)),
        (pieces(b"preamble\r\n"), (400, 413)),
        ([IMAGE, *pieces(b"\r\n--")], (413,)),
        ([IMAGE, PICTURE, b"\r\n--b--\r\n", *pieces(b"epilogue")], (413,)),
        ([IMAGE, *pieces(b"\r\n--b"), b"\r\n--b--\r\n"], (400, 413)),
        ([b"--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n", *pieces(b"--c\r\n\r\n")], (413,)),
    ],
    ids=[
        "a header without an end",
        "headers without an end",
        "parts without an end",
        "as many parts as fit",
        "images without an end",
        "line breaks",
        "a preamble without an end",
        "half boundaries",
        "an epilogue without an end",
        "broken boundaries",
        "a form within a form",
    ],
)
def test_a_form_that_is_built_to_cost_is_refused(daemon, body, statuses):
    assert is_told(post(daemon, [FORM, CHUNKED], body), *statuses)


@pytest.mark.parametrize(
    "line",
    [
        "Content-Type: multipart/form-data",
        "Content-Type: multipart/form-data; boundary=",
        "Content-Type: multipart/form-data; boundary=" + "b" * 10_000,
        'Content-Type: multipart/form-data; boundary="' + "\\" * 1000,
        "Content-Type: multipart/form-data" + "; x=y" * 2000 + "; boundary=b",
        "Content-Type: multipart/" + "x" * 5000 + "; boundary=c",
        "Content-Type: multipart/form-data; boundary*=utf-8''%00; boundary*0=b",
    ],
    ids=range(7),
)
def test_a_boundary_that_is_none_is_refused(daemon, line):
    form = IMAGE + PICTURE + b"\r\n--b--\r\n"
    assert post(daemon, [line], [form]).status in ((200,) if line.endswith("y; boundary=b") else (400,))


def test_nothing_is_unpacked(daemon):
    bomb = gzip.compress(bytes(64 * MIB))
    for body in (bomb, gzip.compress(PICTURE)):
        answer = post(daemon, ["Content-Encoding: gzip"], [body])
        assert is_told(answer, 400)
        assert answer.document["code"] == "not_a_jpeg"


def test_many_at_once_hold_no_more_than_may_be_under_way(daemon):
    def attack(number: int) -> int:
        with contextlib.suppress(ConnectionError, OSError):
            body = pieces(b"x", LARGEST - 2**16)
            return post(daemon, [CHUNKED] if number % 2 else [], body).status
        return 0

    with ThreadPoolExecutor(16) as attackers:
        statuses = set(attackers.map(attack, range(64)))
    assert statuses <= {0, 400, 408, 413, 429}
    assert 429 in statuses, "more than may be under way was taken"


def test_a_body_to_a_route_that_takes_none_is_not_kept(daemon):
    for method, path in itertools.product(["GET", "POST"], ["/results", "/metrics", "/nothing"]):
        with connect(daemon) as connection:
            connection.sendall(head(method, path, CHUNKED))
            with contextlib.suppress(ConnectionError):
                for piece in pieces(b"x"):
                    connection.sendall(b"%x\r\n%b\r\n" % (len(piece), piece))
            with contextlib.suppress(ConnectionError):
                assert read_answer(connection).status in (200, 404, 405)


def test_no_part_of_it_was_recorded_or_logged(daemon):
    assert {row["status"] for row in daemon.rows()} == {"classified"}
    lines = [json.loads(line) for line in daemon.log.read_text().splitlines()]
    assert {line["level"] for line in lines} <= {"info", "warning"}
    assert not [line for line in lines if "exception" in line]
