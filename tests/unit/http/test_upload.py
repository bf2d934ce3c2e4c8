"""Reading a body: bounded in bytes and in time, and the same however it is cut into pieces."""

from itertools import pairwise

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifyd.core.gate import Limits
from classifyd.http import HttpConfig
from classifyd.http.body import picture
from classifyd.http.upload import FORM_OVERHEAD, read_body
from tests.unit.http.fakes import World, jpeg

BOUNDARY = "frontier"
FORM = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}


def part(name, data, filename=None, header=b"Content-Disposition"):
    told = f'form-data; name="{name}"' + (f'; filename="{filename}"' if filename else "")
    return b"--frontier\r\n" + header + b": " + told.encode() + b"\r\n\r\n" + data + b"\r\n"


END = b"--frontier--\r\n"


def pieces_of(data, cuts):
    marks = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[start:end] for start, end in pairwise(marks)]


def read(pieces):
    """What `read_body` makes of a body that comes in these pieces."""
    messages = [{"type": "http.request", "body": piece, "more_body": True} for piece in pieces]
    messages.append({"type": "http.request"})

    async def receive():
        return messages.pop(0)

    return anyio.run(read_body, receive, Limits(), 10_000, 5.0)


@given(
    data=st.binary(min_size=1, max_size=300) | st.sampled_from([b"\r\n--front", b"\r\n--", b"\r\n\r\n"]),
    cuts=st.lists(st.integers(0, 1000), max_size=8),
)
def test_a_form_gives_the_same_picture_however_it_is_cut(data, cuts):
    form = (
        part("note", b"x") + part("image", data, "a.jpg", b"content-DISPOSITION") + part("more", b"y") + END
    )
    upload = picture(read(pieces_of(form, cuts)), FORM["Content-Type"].encode())
    assert (upload.data, upload.name) == (data, b"a.jpg")


@pytest.mark.parametrize(
    "form",
    [
        b"nobody's\r\n" + part("image", b"x") + END + b"nobody's either",
        b"--frontier\r\n\r\nno headers\r\n" + part("image", b"x") + END,
        b"--frontier\r\nX: y\r\nContent-Disposition:form-data;name=image\r\n\r\nx\r\n" + END,
    ],
    ids=["preamble and epilogue", "no headers", "bare"],
)
def test_forms_may_look_different(form):
    assert picture(form, FORM["Content-Type"].encode()).data == b"x"


@pytest.mark.parametrize(
    ("headers", "content", "told"),
    [
        (FORM, part("image", jpeg()), "last boundary"),
        (FORM, part("image", jpeg()) + END[:-3], "last boundary"),
        (FORM, part("image", jpeg()) * 2 + END, "several"),
        (FORM, b"no form at all", "cannot be read"),
        ({"Content-Type": "multipart/form-data"}, part("image", jpeg()) + END, "boundary"),
        ({"Content-Type": "multipart/form-data; boundary=" + "x" * 1000}, b"x", "cannot be read"),
        (FORM, part("i" * 10_000, b"") + END, "cannot be read"),
        (FORM, part("x", b"")[:-2] + b"\r\n--frontiers\r\n", "cannot be read"),
        (FORM, part("x", b"") * 101 + END, "more than 100 fields"),
    ],
    ids=[
        "cut off",
        "cut off within the last boundary",
        "several images",
        "no form",
        "no boundary",
        "long boundary",
        "long header",
        "longer boundary",
        "many fields",
    ],
)
def test_a_form_that_is_none_is_told(headers, content, told):
    world = World()
    response = world.post("/classify/resnet", headers=headers, content=content)

    assert response.status_code == 400
    assert told in response.json()["detail"]
    assert not world.inlet.credits


async def _endless():
    while True:
        yield bytes(1000)


@pytest.mark.parametrize("headers", [{}, FORM], ids=["body", "form"])
def test_a_body_over_the_limit_is_cut_off_while_it_streams(headers):
    world = World(limits=Limits(max_bytes=5000))
    start = part("image", b"")[:-2] if headers else b""

    async def content():
        yield start
        async for chunk in _endless():
            yield chunk

    response = world.post("/classify/resnet", content=content(), headers=headers)

    assert response.status_code == 413
    assert response.json()["code"] == "too_large"
    assert not world.inlet.credits


def test_a_declared_size_over_the_limit_is_refused_unread():
    world = World(limits=Limits(max_bytes=5000))

    async def unread():
        raise AssertionError("the body was read")
        yield

    response = world.post("/classify/resnet", content=unread(), headers={"Content-Length": "5001"})

    assert response.status_code == 413


def test_a_form_may_be_larger_than_its_picture_may():
    world = World(limits=Limits(max_bytes=len(jpeg())))

    form = part("note", bytes(FORM_OVERHEAD - 1000)) + part("image", jpeg()) + END
    assert world.post("/classify/resnet", content=form, headers=FORM).status_code == 200

    form = part("image", jpeg() + b"x") + END
    assert world.post("/classify/resnet", content=form, headers=FORM).json()["code"] == "too_large"


def test_a_slow_client_is_cut():
    world = World(HttpConfig(deadline=0.01), limits=Limits(max_bytes=1000))

    async def slow():
        yield jpeg()[:100]
        await anyio.sleep_forever()

    response = world.post("/classify/resnet", content=slow())

    assert response.status_code == 408
    assert response.headers["Connection"] == "close"
    assert not world.inlet.credits


def test_a_client_that_leaves_gives_its_credit_back():
    world = World()
    sent = []

    async def leave():
        async def receive():
            return {"type": "http.disconnect"}

        async def send(message):
            sent.append(message)

        scope = {
            "type": "http",
            "method": "POST",
            "path": "/classify/resnet",
            "query_string": b"",
            "headers": [(b"content-length", b"100")],
        }
        await world.app(scope, receive, send)

    anyio.run(leave)

    assert sent[0]["status"] == 400
    assert not world.inlet.credits
