"""A model server that answers every predict at once: what remains is the cost of everything else.

    python -m verification.kit.instant --port 8501

TensorFlow Serving's REST protocol in row format, for any model name, with 1,001 probabilities a picture.
"""

import argparse
import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from typing import cast

import orjson
import uvloop

from verification.kit.serving.protocol import INPUT, SIGNATURE, tensor_info

CLASSES = 1001
BEST = 286

Pause = Callable[[], float]
"""Seconds until the next predict is answered."""
_HEAD_END = b"\r\n\r\n"
_KEY = b'"b64"'
_ROOM = 2**18
"""Bytes that a connection can take at least in one read."""


class InstantModel(asyncio.BufferedProtocol):
    """One connection, kept alive. Pictures are counted where the system put their bytes, not looked at."""

    def __init__(self, open_transports: set[asyncio.WriteTransport], classes: int, pause: Pause) -> None:
        self._open = open_transports
        self._classes = classes
        self._pause = pause
        self._buffer = bytearray(_ROOM)
        self._filled = 0
        self._wanted = 0  # bytes of the request under way; 0 while its head is incomplete

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)  # uvloop's own is not derived from it
        self._open.add(self._transport)

    def connection_lost(self, _error: Exception | None) -> None:
        self._open.discard(self._transport)

    def get_buffer(self, _sizehint: int) -> memoryview:
        """Room for the rest of the request; its size is kept for those that follow."""
        if (room := max(self._wanted, self._filled) + _ROOM) > len(self._buffer):
            self._buffer = self._buffer[: self._filled] + bytes(room - self._filled)
        return memoryview(self._buffer)[self._filled :]

    def buffer_updated(self, nbytes: int) -> None:
        self._filled += nbytes
        done = 0
        while end := self._end_of_request(done):
            is_predict = self._buffer.startswith(b"POST", done)
            answer = self._predictions(done, end) if is_predict else self._description(done)
            self._send(answer, self._pause() if is_predict else 0.0)
            done, self._wanted = end, 0
        if done:  # the rest belongs to a request that was sent before this answer
            self._filled -= done
            self._buffer[: self._filled] = self._buffer[done : done + self._filled]

    def _end_of_request(self, start: int) -> int:
        """Where the request that begins at `start` ends; 0 while it is incomplete."""
        if not self._wanted:
            end = self._buffer.find(_HEAD_END, start, self._filled)
            if end < 0:
                return 0
            self._wanted = end + len(_HEAD_END) - start + _content_length(self._buffer[start:end])
        return start + self._wanted if self._filled - start >= self._wanted else 0

    def _predictions(self, start: int, end: int) -> bytes:
        return _predictions(_pictures(self._buffer, start, end), self._classes)

    def _description(self, start: int) -> bytes:
        target = self._buffer[start : self._buffer.find(b"\r\n", start)].split(b" ")[1]
        return _metadata(self._classes) if target.endswith(b"/metadata") else _status()

    def _send(self, answer: bytes, pause: float) -> None:
        if pause:
            asyncio.get_running_loop().call_later(pause, self._send, answer, 0.0)
        elif not self._transport.is_closing():
            self._transport.write(answer)


def _pictures(request: bytearray, start: int, end: int) -> int:
    """How many there are. Looked for by their quotation marks, of which base64 has none: one byte is found
    twenty times as fast as the whole key."""
    found = 0
    at = request.find(b'"', start, end)
    while at >= 0:
        found += request.startswith(_KEY, at)
        at = request.find(b'"', at + 1, end)
    return found


def _content_length(head: bytearray) -> int:
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0


@cache
def _predictions(pictures: int, classes: int) -> bytes:
    best = BEST % classes
    row = [0.1 / classes + index * 1e-9 for index in range(classes)]
    row[best] = 0.9
    return _ok({"predictions": [{"classes": best, "probabilities": row}] * pictures})


@cache
def _metadata(classes: int) -> bytes:
    outputs = {"classes": tensor_info("DT_INT64", -1), "probabilities": tensor_info("DT_FLOAT", -1, classes)}
    signature = {"inputs": {INPUT: tensor_info("DT_STRING", -1)}, "outputs": outputs}
    return _ok({"metadata": {"signature_def": {"signature_def": {SIGNATURE: signature}}}})


@cache
def _status() -> bytes:
    return _ok({"model_version_status": [{"version": "1", "state": "AVAILABLE"}]})


def _ok(document: object) -> bytes:
    body = orjson.dumps(document)
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


class InstantServer:
    """Listens on 127.0.0.1; `port` 0 is any that is free. `pause` makes it less than instant."""

    def __init__(self, port: int = 0, classes: int = CLASSES, pause: Pause = float) -> None:
        self._port = port
        self._classes = classes
        self._pause = pause
        self._open: set[asyncio.WriteTransport] = set()

    async def start(self) -> str:
        """Its address."""
        loop = asyncio.get_running_loop()
        connect = partial(InstantModel, self._open, self._classes, self._pause)
        self._server = await loop.create_server(connect, "127.0.0.1", self._port)
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def stop(self) -> None:
        """Closes the port and every connection."""
        self._server.close()
        for transport in self._open:
            transport.abort()
        await self._server.wait_closed()
        await asyncio.sleep(0)  # aborted transports close in the loop's next turn


@contextmanager
def instant_server(classes: int = CLASSES, pause: Pause = float) -> Iterator[str]:
    """Runs the server on a thread of its own, on asyncio's loop; gives its address."""
    loop = asyncio.new_event_loop()
    server = InstantServer(classes=classes, pause=pause)
    url = loop.run_until_complete(server.start())
    thread = threading.Thread(target=loop.run_forever, name="instant-server")
    thread.start()
    try:
        yield url
    finally:
        asyncio.run_coroutine_threadsafe(server.stop(), loop).result(timeout=10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _serve(port: int, classes: int) -> None:
    server = InstantServer(port, classes)
    print(await server.start(), flush=True)
    await asyncio.Event().wait()


def main() -> None:
    """Serves until it is stopped, on uvloop: the server is to cost as little as it can."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--port", type=int, default=8501, help="0: any that is free")
    parser.add_argument("--classes", type=int, default=CLASSES)
    arguments = parser.parse_args()
    uvloop.run(_serve(arguments.port, arguments.classes))


if __name__ == "__main__":
    main()
