"""A load of HTTP requests from a process of its own, as light as it can be made.

    python -m verification.bench.load http://127.0.0.1:5000 PICTURE CLIENTS SECONDS PAUSE

Each client posts the picture in a form (field `image`) to /classify/resnet, again `PAUSE` seconds after the
answer. Prints a JSON list: the times to answer in seconds.
"""

import asyncio
import re
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import orjson
import uvloop

WARM_UP = 0.5
"""The share of the seconds that goes before, unmeasured."""
_BOUNDARY = "classifyd-bench"
_LENGTH = re.compile(rb"content-length: *(\d+)")


async def load(url: str, picture: bytes, clients: int, seconds: float, pause: float) -> list[float]:
    """The times of the answers within `seconds`, after a warm-up."""
    address = urlsplit(url)
    request = _request(address.netloc, picture)
    since = time.monotonic() + WARM_UP * seconds
    until = since + seconds
    times: list[float] = []

    async def client() -> None:
        stream = None
        while (asked := time.monotonic()) < until:
            reader, writer = stream or await asyncio.open_connection(address.hostname, address.port)
            writer.write(request)
            stream = (reader, writer) if await _answered(reader) else None
            now = time.monotonic()
            if asked >= since and now < until:
                times.append(now - asked)
            if stream is None:
                writer.close()
            if pause:
                await asyncio.sleep(pause)
        if stream is not None:
            stream[1].close()

    await asyncio.gather(*(client() for _ in range(clients)))
    return times


async def _answered(reader: asyncio.StreamReader) -> bool:
    """Reads an answer; tells whether the connection may be used again."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    if not head.startswith(b"http/1.1 200"):
        raise SystemExit(f"refused: {head.decode()}")
    await reader.readexactly(int(_LENGTH.search(head)[1]))
    return b"connection: close" not in head


def _request(host: str, picture: bytes) -> bytes:
    form = (
        f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="image"; filename="cat.jpg"\r\n'
        "Content-Type: image/jpeg\r\n\r\n"
    ).encode()
    body = form + picture + f"\r\n--{_BOUNDARY}--\r\n".encode()
    head = (
        f"POST /classify/resnet HTTP/1.1\r\nHost: {host}\r\n"
        f"Content-Type: multipart/form-data; boundary={_BOUNDARY}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def main() -> None:
    """Prints each answer's time."""
    url, file, clients, seconds, pause = sys.argv[1:]
    picture = Path(file).read_bytes()
    taken = uvloop.run(load(url, picture, int(clients), float(seconds), float(pause)))
    print(orjson.dumps(taken).decode())


if __name__ == "__main__":
    main()
