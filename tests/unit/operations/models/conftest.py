import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest


@dataclass
class FileServer:
    """Serves `files` by path, with Range and If-Range; misbehaves as told.

    `cuts` holds, for each coming request, after how many bytes the connection is cut; `statuses` what the
    coming requests are refused with; `redirects` lead from path to path. `asked` notes path and Range.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    tag: str | None = '"first"'
    tells_length: bool = True
    cuts: list[int] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    redirects: dict[str, str] = field(default_factory=dict)
    wrong_ranges: int = 0
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    url: str = ""


class _Handler(BaseHTTPRequestHandler):
    served: FileServer

    def do_GET(self) -> None:
        served, wanted = self.served, self.headers.get("Range")
        served.asked.append((self.path, wanted))
        if served.statuses:
            return self._refuse(served.statuses.pop(0))
        if self.path in served.redirects:
            return self._refuse(302, {"Location": served.redirects[self.path]})
        if self.path not in served.files:
            return self._refuse(404)
        content, start = served.files[self.path], 0
        if wanted and self.headers.get("If-Range") == served.tag:
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
        if start and start >= len(content):
            return self._refuse(416)
        if start and served.wrong_ranges:
            served.wrong_ranges -= 1
            start += 1
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        if served.tag:
            self.send_header("ETag", served.tag)
        if served.tells_length:
            self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        cut = served.cuts.pop(0) if served.cuts else len(content)
        self.wfile.write(content[start : start + cut])
        return None

    def _refuse(self, status: int, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": "0", **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Tests are quiet."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    served = FileServer()
    handler = type("Handler", (_Handler,), {"served": served})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as listening:
        thread = threading.Thread(target=listening.serve_forever, args=(0.01,), name="file server")
        thread.start()
        served.url = f"http://127.0.0.1:{listening.server_port}"
        yield served
        listening.shutdown()
        thread.join(10)
