"""Carries a settlement from the pipeline's threads to the request that waits for it."""

import asyncio
from contextlib import suppress

from classifyd.core.ports import Inlet
from classifyd.core.values import Settlement


class Waiter:
    """Waits on the running event loop for one delivery. Its credit goes back when the delivery is settled,
    whether or not the request still waits."""

    def __init__(self, inlet: Inlet, size: int) -> None:
        self._inlet = inlet
        self._size = size
        self._loop = asyncio.get_running_loop()
        self._settled: asyncio.Future[Settlement] = self._loop.create_future()

    def settle(self, settlement: Settlement) -> None:
        """Safe from any thread."""
        self._inlet.release(self._size)
        with suppress(RuntimeError):  # the loop is closed: the server stopped, nobody waits any more
            self._loop.call_soon_threadsafe(self._post, settlement)

    async def wait(self, deadline: float) -> Settlement:
        """The settlement. Raises TimeoutError after `deadline` seconds."""
        return await asyncio.wait_for(self._settled, deadline)

    def _post(self, settlement: Settlement) -> None:
        if not self._settled.done():
            self._settled.set_result(settlement)
