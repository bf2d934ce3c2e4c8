"""Where requests wait: offered together, woken once for all that is settled together, and turned out when it
takes too long."""

import asyncio
import threading

import pytest

from classifyd.core.values import Settlement
from classifyd.http.waiter import Waiter, WaitingRoom

SETTLED = Settlement.retry("settled")


class Inlet:
    def __init__(self):
        self.released = []
        self.offers = []

    def offer(self, *deliveries):
        self.offers.append(deliveries)

    def release(self, size):
        self.released.append(size)


class Model:
    def __init__(self, name):
        self.name = name
        self.inlet = Inlet()


async def waiting(room, inlet, count):
    waiters = [Waiter(room, inlet, size) for size in range(count)]
    return waiters, [asyncio.ensure_future(waiter.wait()) for waiter in waiters]


def test_pictures_that_come_together_are_offered_together():
    async def run():
        room, resnet, other, failures = WaitingRoom(60), Model("resnet"), Model("other"), []
        room.loop.set_exception_handler(lambda _, failure: failures.append(failure))
        [first], [wait] = await waiting(room, resnet.inlet, 1)
        await asyncio.sleep(0)  # it waits now
        for picture in "ab":
            room.offer(resnet, picture)
            room.offer(other, picture.upper())
        assert not resnet.inlet.offers
        await asyncio.sleep(0)
        assert resnet.inlet.offers == [("a", "b")]
        assert other.inlet.offers == [("A", "B")]
        room.offer(resnet, "c")
        await asyncio.sleep(0)
        assert resnet.inlet.offers == [("a", "b"), ("c",)]
        assert not failures
        first.settle(SETTLED)
        await wait

    asyncio.run(run())


def test_a_picture_is_not_kept_for_others_where_nobody_waits():
    async def run():
        room, model = WaitingRoom(60), Model("resnet")
        room.offer(model, "a")
        assert model.inlet.offers == [("a",)]

    asyncio.run(run())


def test_what_is_settled_together_wakes_the_loop_once(monkeypatch):
    async def run():
        room, inlet = WaitingRoom(60), Inlet()
        waiters, waits = await waiting(room, inlet, 20)
        wakes = []
        wake = room.loop.call_soon_threadsafe
        monkeypatch.setattr(room.loop, "call_soon_threadsafe", lambda what: wakes.append(wake(what)))

        def settle():
            for waiter in waiters:
                waiter.settle(SETTLED)

        thread = threading.Thread(target=settle)
        thread.start()
        thread.join()  # the loop stands still meanwhile
        assert await asyncio.gather(*waits) == [SETTLED] * 20
        assert len(wakes) == 1
        assert inlet.released == list(range(20))

        [again], [wait] = await waiting(room, inlet, 1)
        again.settle(SETTLED)
        assert await wait == SETTLED
        assert len(wakes) == 2

    asyncio.run(run())


def test_who_waits_too_long_is_turned_out_and_others_wait_on():
    async def run():
        room = WaitingRoom(0.05)
        [first, second], [one, other] = await waiting(room, Inlet(), 2)
        second.settle(SETTLED)
        assert await other == SETTLED
        with pytest.raises(TimeoutError):
            await one
        first.settle(SETTLED)  # nobody waits any more

        [third], [late] = await waiting(room, Inlet(), 1)
        third.settle(SETTLED)
        assert await late == SETTLED
        [_], [last] = await waiting(room, Inlet(), 1)
        with pytest.raises(TimeoutError):
            await last

    asyncio.run(run())


def test_a_settlement_for_a_loop_that_has_ended_is_nobodys():
    async def run():
        [waiter], [wait] = await waiting(WaitingRoom(60), Inlet(), 1)
        wait.cancel()
        return waiter

    asyncio.run(run()).settle(SETTLED)
