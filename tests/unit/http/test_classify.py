"""`POST /classify/{model}`: every answer it gives, and that no credit is lost whatever happens."""

import asyncio
import threading
import tracemalloc

import anyio
import pytest
from prometheus_client import REGISTRY

from classifyd.core.gate import Limits
from classifyd.core.values import Reason, Rejected, Settlement, Source, Status
from classifyd.http import HttpConfig
from classifyd.http.classify import ASIDE_BYTES
from tests.unit.http.fakes import NOW, World, answered, jpeg, recorded


def as_form(data, name="cat.jpg"):
    return {"files": {"image": (name, data)}}


def problem(response, status):
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert body["status"] == status
    assert body["detail"]
    return body


def never(_delivery):
    return None


@pytest.mark.parametrize("sent", [as_form(jpeg()), {"content": jpeg()}], ids=["form", "body"])
def test_a_picture_is_answered_with_its_class(sent):
    response = World().post("/classify/resnet", **sent)

    assert (response.status_code, response.text) == (200, '{"classes": 1}')
    assert response.headers["content-type"] == "application/json"


def test_a_body_is_taken_whatever_type_a_client_gives_it():
    response = World().post(
        "/classify/resnet", content=jpeg(), headers={"Content-Type": "application/x-www-form-urlencoded"}
    )

    assert response.text == '{"classes": 1}'


def test_top_asks_for_the_longer_form():
    world = World()
    response = world.post("/classify/resnet?top=2", **as_form(jpeg()))

    answer = response.json()
    assert answer.pop("id")
    assert answer == {
        "classes": 1,
        "label": "cat",
        "confidence": 0.75,
        "top": [
            {"class_index": 1, "label": "cat", "probability": 0.75},
            {"class_index": 2, "label": "dog", "probability": 0.2},
        ],
        "model": "resnet",
        "model_version": "7",
    }


@pytest.mark.parametrize("top", ["0", "1001", "-1", "x", "", "²", "9" * 5000])
def test_a_senseless_top_is_told(top):
    world = World()

    assert (
        "top" in problem(world.post("/classify/resnet", params={"top": top}, content=jpeg()), 422)["detail"]
    )
    assert not world.inlet.deliveries


def test_the_delivery_says_where_the_picture_came_from():
    world = World()
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    world.post("/classify/resnet", **as_form(jpeg((32, 24)), "ca t é.jpg"), headers={"traceparent": trace})

    image = world.inlet.deliveries[0].image
    assert image.origin.source is Source.HTTP
    assert image.origin.key.startswith("http:")
    assert image.origin.name == "ca t é.jpg"
    assert (image.data, image.width, image.height) == (jpeg((32, 24)), 32, 24)
    assert (image.traceparent, image.received_at) == (trace, NOW)


def test_a_broken_traceparent_is_left_out():
    world = World()
    world.post("/classify/resnet", content=jpeg(), headers={"traceparent": "nonsense"})

    assert world.inlet.deliveries[0].image.traceparent is None


def test_every_request_has_an_origin_of_its_own():
    world = World()
    for _ in range(3):
        world.post("/classify/resnet", content=jpeg())

    assert len({delivery.image.origin.key for delivery in world.inlet.deliveries}) == 3


@pytest.mark.parametrize(
    ("config", "records", "publish"),
    [
        (HttpConfig(), {Status.CLASSIFIED}, False),
        (HttpConfig(publish=True), {Status.CLASSIFIED}, True),
        (HttpConfig(record=False), set(), False),
    ],
)
def test_answers_are_recorded_and_published_as_configured(config, records, publish):
    world = World(config)
    world.post("/classify/resnet", content=jpeg())

    delivery = world.inlet.deliveries[0]
    assert (delivery.records, delivery.publish) == (records, publish)


def test_an_unknown_model_is_not_found_and_the_known_ones_are_named():
    assert "resnet, other" in problem(World().post("/classify/vgg", content=jpeg()), 404)["detail"]


@pytest.mark.parametrize(
    ("data", "status", "code"),
    [
        (jpeg(form="PNG"), 400, "not_a_jpeg"),
        (b"text", 400, "not_a_jpeg"),
        (jpeg()[:-2], 400, "truncated"),
        (jpeg((200, 100)), 413, "too_large"),
    ],
    ids=["PNG", "text", "truncated", "pixels"],
)
def test_a_picture_that_the_gate_refuses_is_told_why_and_not_queued(data, status, code):
    world = World(limits=Limits(max_pixels=10_000))
    labels = {"source": "http", "model": "resnet", "status": "rejected", "reason": code}
    before = REGISTRY.get_sample_value("classifyd_pictures_total", labels) or 0

    assert problem(world.post("/classify/resnet", **as_form(data)), status)["code"] == code
    assert REGISTRY.get_sample_value("classifyd_pictures_total", labels) == before + 1
    assert not world.inlet.deliveries
    assert not world.inlet.credits


@pytest.mark.parametrize("sent", [{}, {"content": b""}, as_form(b""), {"files": {"picture": jpeg()}}])
def test_no_image_is_told(sent):
    world = World()

    assert "image" in problem(world.post("/classify/resnet", **sent), 400)["detail"]
    assert not world.inlet.credits


@pytest.mark.parametrize(
    ("reason", "status"),
    [(Reason.UNDECODABLE, 400), (Reason.REFUSED_BY_MODEL, 422), (Reason.TOO_COMPLEX, 413)],
)
def test_a_picture_that_the_model_rejects_is_told_why(reason, status):
    world = World(settlement=lambda delivery: Settlement.of(recorded(delivery, Rejected(reason, "No good."))))

    body = problem(world.post("/classify/resnet", content=jpeg()), status)
    assert (body["code"], body["detail"]) == (reason, "No good.")


def test_a_picture_that_could_not_be_classified_now_may_be_sent_again():
    world = World(settlement=lambda _delivery: Settlement.retry("the model went away"))
    response = world.post("/classify/resnet", content=jpeg())

    assert "the model went away" in problem(response, 503)["detail"]
    assert int(response.headers["Retry-After"]) > 0


def test_a_full_lane_is_told_before_the_picture_is_read():
    world = World()
    world.inlet.full = True

    async def unread():
        raise AssertionError("the body was read")
        yield

    response = world.post("/classify/resnet", content=unread())

    problem(response, 429)
    assert int(response.headers["Retry-After"]) > 0


def test_a_model_that_is_away_is_told():
    world = World()
    world.inlet.closed = "connection refused"
    response = world.post("/classify/resnet", content=jpeg())

    assert "connection refused" in problem(response, 503)["detail"]
    assert int(response.headers["Retry-After"]) > 0


def test_the_wait_has_a_deadline_and_the_credit_stays_out_until_the_picture_is_settled():
    world = World(HttpConfig(deadline=0.01), settlement=never)

    assert "http.deadline" in problem(world.post("/classify/resnet", content=jpeg()), 504)["detail"]
    assert world.inlet.credits == [len(jpeg())]

    world.inlet.deliveries[0].settle(Settlement.retry("too late"))
    assert not world.inlet.credits


def test_a_settlement_after_the_deadline_finds_nobody():
    world = World(HttpConfig(deadline=0.01), settlement=never)

    async def settle_late():
        async with world.client() as client:
            response = await client.post("/classify/resnet", content=jpeg())
        world.inlet.deliveries[0].settle(Settlement.retry("too late"))
        await asyncio.sleep(0)
        return response

    assert anyio.run(settle_late).status_code == 504
    assert not world.inlet.credits


def test_credit_is_what_the_client_declares_and_goes_back_after_settling():
    taken = []
    world = World(settlement=lambda delivery: taken.extend(world.inlet.credits) or answered(delivery))
    world.post("/classify/resnet", content=jpeg())

    assert taken == [len(jpeg())]
    assert world.inlet.all_released()


def test_a_body_of_undeclared_size_takes_credit_for_the_largest():
    taken = []
    world = World(
        limits=Limits(max_bytes=100_000),
        settlement=lambda delivery: taken.extend(world.inlet.credits) or answered(delivery),
    )

    async def pieces():
        for byte in jpeg():
            yield bytes([byte])

    assert world.post("/classify/resnet", content=pieces()).text == '{"classes": 1}'
    assert taken == [100_000]


def test_large_pictures_are_answered_too():
    world = World()

    assert world.post("/classify/resnet", content=jpeg() + bytes(2 * 2**20)).text == '{"classes": 1}'
    assert world.inlet.deliveries[0].image.size_bytes == len(jpeg()) + 2 * 2**20


def test_of_a_form_only_the_picture_is_kept_while_it_waits():
    picture = jpeg() + bytes(ASIDE_BYTES // 2)
    form = b'--b\r\nContent-Disposition: form-data; name="image"\r\n\r\n%b\r\n--b--\r\n' % picture
    pieces = [form[start : start + 2**16] for start in range(0, len(form), 2**16)]
    kept = []
    world = World(
        settlement=lambda delivery: kept.append(tracemalloc.get_traced_memory()[0]) or answered(delivery)
    )

    async def content():
        for piece in pieces:
            yield piece

    tracemalloc.start()
    try:
        world.post(
            "/classify/resnet",
            content=content(),
            headers={"Content-Type": "multipart/form-data; boundary=b"},
        )
    finally:
        tracemalloc.stop()
    assert kept[0] < 1.5 * len(picture)


def test_many_requests_are_answered_at_once():
    gathered = threading.Barrier(20, timeout=10)

    def together(delivery):
        threading.Thread(target=lambda: (gathered.wait(), delivery.settle(answered(delivery)))).start()

    world = World(settlement=together)

    async def send():
        async with world.client() as client:
            return await asyncio.gather(*(client.post("/classify/resnet", content=jpeg()) for _ in range(20)))

    assert {response.text for response in anyio.run(send)} == {'{"classes": 1}'}
    assert world.inlet.all_released()


def test_a_failure_within_loses_no_credit():
    def fail():
        raise RuntimeError("no more ids")

    world = World(new_id=fail)
    response = world.post("/classify/resnet", content=jpeg())

    problem(response, 500)
    assert not world.inlet.credits


def test_the_models_are_listed_with_their_state():
    world = World()
    world.inlet.closed = "connection refused"
    world.model.info = None
    response = world.get("/classify")

    assert response.json() == {
        "models": [
            {
                "name": "resnet",
                "engine": "onnx",
                "version": None,
                "state": "away",
                "detail": "connection refused",
                "classes": None,
            },
            {"name": "other", "engine": "onnx", "version": "7", "state": "ready", "detail": "", "classes": 3},
        ]
    }
