"""Fetches a file over HTTP to a partial file beside its final place; resumes where it was cut.

A partial file is continued only where the server shows that it is still the same (RFC 9110, sections
13.1.5 If-Range and 14.2 Range); its validator is kept beside it, so a later run continues too.
"""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import requests

from classifyd.core.backoff import Backoff
from classifyd.operations.models.catalog import CatalogError

_CHUNK = 2**16
_TIMEOUT = (10.0, 60.0)  # seconds to connect, and between two arrivals of data
_PASSING = {408, 425, 429, 500, 502, 503, 504}

Progress = Callable[[int, int | None], None]
"""Told how many bytes are there, and of how many (None: the server did not say)."""


class _Interrupted(Exception):
    """This try ended early; another may succeed."""

    def __init__(self, reason: str, retry_after: float = 0.0) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class _Identity:
    """What a partial file is a part of: the answer's validator, and its size in bytes where it was told."""

    url: str
    validator: str | None
    total: int | None


class Downloader:
    """Fetches through `session` (proxy variables and redirects are its business), trying each address up to
    `tries` times with growing pauses; `wait` is told how many seconds to pause."""

    def __init__(
        self, session: requests.Session, tries: int = 5, wait: Callable[[float], None] = time.sleep
    ) -> None:
        self._session = session
        self._tries = tries
        self._wait = wait

    def fetch(self, urls: Sequence[str], part: Path, sizes: range, progress: Progress) -> None:
        """Fetches into `part` from the first address that gives a whole file of one of these sizes in bytes.

        Raises CatalogError that tells what each address did; what arrived so far stays for the next call.
        """
        faults = [
            f"{part.stem} could not be fetched; pull again to go on, or bring it along with --from FILE"
        ]
        for url in urls:
            try:
                self._fetch_patiently(url, part, sizes, progress)
                return
            except CatalogError as error:
                faults.append(str(error))
        raise CatalogError("\n".join(faults))

    def _fetch_patiently(self, url: str, part: Path, sizes: range, progress: Progress) -> None:
        backoff = Backoff(1.0, 30.0)
        for tries_left in reversed(range(self._tries)):
            try:
                return self._try(url, part, sizes, progress)
            except (
                requests.ConnectionError,
                requests.Timeout,
                requests.exceptions.ChunkedEncodingError,
            ) as error:
                fault = _Interrupted(_cause(error))
            except requests.RequestException as error:
                raise CatalogError(f"{url}: {error}") from error
            except _Interrupted as error:
                fault = error
            if tries_left:
                self._wait(backoff.next(fault.retry_after))
        raise CatalogError(f"{url}: {fault} ({self._tries} tries)")

    def _try(self, url: str, part: Path, sizes: range, progress: Progress) -> None:
        identity = _read_identity(part, url)
        have = part.stat().st_size if identity else 0
        if identity and have == identity.total:
            return
        headers = {"Accept-Encoding": "identity"}
        if identity and identity.validator and have:
            headers |= {"Range": f"bytes={have}-", "If-Range": identity.validator}
        with self._session.get(url, headers=headers, stream=True, timeout=_TIMEOUT) as answer:
            _require_content(answer, have, part)
            if answer.status_code == 200:
                _begin(part, _Identity(url, _validator(answer.headers), _length(answer.headers)))
                have = 0
            _append(answer, part, have, sizes, progress)


def _require_content(answer: requests.Response, have: int, part: Path) -> None:
    """Raises unless the answer is the whole file, or goes on where the partial file ends."""
    continues = answer.headers.get("Content-Range", "").startswith(f"bytes {have}-")
    if answer.status_code == 416 or (answer.status_code == 206 and not continues):
        part.unlink(missing_ok=True)
        raise _Interrupted("the server does not have the rest of what it began")
    if answer.status_code in _PASSING:
        raise _Interrupted(f"HTTP {answer.status_code}", _retry_after(answer.headers))
    if answer.status_code not in (200, 206):
        raise CatalogError(f"{answer.url}: HTTP {answer.status_code} {answer.reason}")


def _append(answer: requests.Response, part: Path, have: int, sizes: range, progress: Progress) -> None:
    length = _length(answer.headers)
    total = None if length is None else have + length
    if total is not None and total not in sizes:
        raise CatalogError(f"{answer.url}: {total} bytes, so it is not what the catalog means")
    with part.open("ab") as file:
        for chunk in answer.iter_content(_CHUNK):
            have += len(chunk)
            if have >= sizes.stop:
                raise CatalogError(f"{answer.url}: {have} bytes and more: it is not what the catalog means")
            file.write(chunk)
            progress(have, total)
    if have not in sizes:
        raise _Interrupted(f"only {have} bytes came")


def _begin(part: Path, identity: _Identity) -> None:
    """Empties the partial file, then notes what it is going to be a part of."""
    _identity_file(part).unlink(missing_ok=True)
    part.write_bytes(b"")
    _identity_file(part).write_text(json.dumps(asdict(identity)))


def _length(headers: Mapping[str, str]) -> int | None:
    length = headers.get("Content-Length", "")
    return int(length) if length.isdecimal() else None


def _cause(error: requests.RequestException) -> str:
    """What happened, without the layers that urllib3 and requests wrap around it."""
    return str(getattr(error.args[0], "reason", error) if error.args else error)


def _retry_after(headers: Mapping[str, str]) -> float:
    seconds = headers.get("Retry-After", "")
    return min(60.0, float(seconds)) if seconds.isdecimal() else 0.0


def _validator(headers: Mapping[str, str]) -> str | None:
    """What If-Range takes: a strong entity tag, or else a date."""
    tag = headers.get("ETag", "")
    return tag if tag.startswith('"') else headers.get("Last-Modified")


def _identity_file(part: Path) -> Path:
    return part.with_name(part.name + ".json")


def _read_identity(part: Path, url: str) -> _Identity | None:
    """What a partial file is a part of; None when there is none, or of another address."""
    try:
        identity = _Identity(**json.loads(_identity_file(part).read_text()))
    except (OSError, ValueError, TypeError):
        return None
    return identity if identity.url == url and part.exists() else None
