"""Carries pictures from requests to the pipeline's threads, and settlements back."""

import asyncio
from collections import deque
from contextlib import suppress

from classifyd.core.ports import Inlet, Model
from classifyd.core.values import Delivery, Settlement

Waiting = asyncio.Future[Settlement]


class WaitingRoom:
    """Where the requests of one event loop wait, each for `patience` seconds at most.

    Pictures that come together are offered together: else the first of them would be a batch by itself. Only
    where nobody waits yet, a picture is not kept for others. Settlements that come together wake the loop
    once, and one timer serves all who wait: since all wait equally long, who came first is due first.
    """

    def __init__(self, patience: float) -> None:
        """Belongs to the running event loop."""
        self.loop = asyncio.get_running_loop()
        self._patience = patience
        self._due: dict[Waiting, float] = {}
        self._held: dict[str, list[Delivery]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._posted: deque[tuple[Waiting, Settlement]] = deque()
        self._told = False

    def offer(self, model: Model, delivery: Delivery) -> None:
        """Offers a picture that a request is about to wait for: now, or in the next turn of the loop."""
        if not self._due:
            model.inlet.offer(delivery)
            return
        held = self._held.setdefault(model.name, [])
        if not held:
            self.loop.call_soon(self._offer_held, model)
        held.append(delivery)

    def _offer_held(self, model: Model) -> None:
        model.inlet.offer(*self._held.pop(model.name))

    async def wait(self, settled: Waiting) -> Settlement:
        """The settlement. Raises TimeoutError after `patience` seconds."""
        due = self._due[settled] = self.loop.time() + self._patience
        if self._timer is None:
            self._timer = self.loop.call_at(due, self._turn_out)
        try:
            return await settled
        finally:
            del self._due[settled]

    def post(self, settled: Waiting, settlement: Settlement) -> None:
        """Safe from any thread."""
        self._posted.append((settled, settlement))
        if not self._told:
            self._told = True
            with suppress(RuntimeError):  # the loop is closed: the server stopped, nobody waits any more
                self.loop.call_soon_threadsafe(self._deliver)

    def _deliver(self) -> None:
        self._told = False  # before the last look: what is posted after that tells again
        while self._posted:
            settled, settlement = self._posted.popleft()
            if not settled.done():
                settled.set_result(settlement)

    def _turn_out(self) -> None:
        now, self._timer = self.loop.time(), None
        for settled, due in self._due.items():
            if due > now:
                self._timer = self.loop.call_at(due, self._turn_out)
                break
            if not settled.done():
                settled.set_exception(TimeoutError())


class Waiter:
    """Waits for one delivery. Its credit goes back when the delivery is settled, whether or not the request
    still waits."""

    def __init__(self, room: WaitingRoom, inlet: Inlet, size: int) -> None:
        self._room = room
        self._inlet = inlet
        self._size = size
        self._settled: Waiting = room.loop.create_future()

    def settle(self, settlement: Settlement) -> None:
        """Safe from any thread."""
        self._inlet.release(self._size)
        self._room.post(self._settled, settlement)

    async def wait(self) -> Settlement:
        """The settlement. Raises TimeoutError when it takes too long."""
        return await self._room.wait(self._settled)
