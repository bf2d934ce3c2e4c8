"""Keeps web pages that a user of this machine looks at from asking the daemon behind that user's back.

A page of any origin may have its browser send a form to 127.0.0.1 without asking first; and a page whose own
name is made to resolve to 127.0.0.1 (DNS rebinding) may read the answers too. Where an API key is asked for
neither gets in; where none is, the browser's own headers tell them apart. Programs send none of these.
"""

import ipaddress
import re
from collections.abc import Mapping
from functools import lru_cache

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})  # RFC 9110, section 9.2.1
_NAME = re.compile(r"(?P<name>\[[^\]]*\]|[^:]*)(:\d*)?")


def listens_locally(host: str) -> bool:
    """Whether `http.host` is an address that only this machine reaches."""
    return _is_localhost(host) or (_is_address(host) and ipaddress.ip_address(host).is_loopback)


def refusal(method: str, headers: Mapping[bytes, bytes], local: bool) -> str | None:
    """Why a request is not answered, or None. `local` says that only this machine reaches the daemon.

    Cross-origin requests are told by Sec-Fetch-Site or else by Origin, as in Go's
    net/http.CrossOriginProtection; rebound names by Host, as Syncthing and Jupyter do.
    """
    host = headers.get(b"host", b"").decode("latin-1")
    if local and host and not _is_ours(host):
        return (
            f"The daemon is reached as localhost or by its address, not as {host!r}. Where a proxy passes "
            "that name on, set http.api_key, or have the proxy send Host: localhost."
        )
    if method not in _SAFE and _is_cross_origin(headers, host):
        return (
            "A web page of another origin may not ask for this. Set http.api_key, and have the page send it."
        )
    return None


def _is_cross_origin(headers: Mapping[bytes, bytes], host: str) -> bool:
    site = headers.get(b"sec-fetch-site")
    if site is not None:
        return site not in (b"same-origin", b"none")
    origin = headers.get(b"origin")
    return origin is not None and origin.decode("latin-1").partition("://")[2] != host


@lru_cache(maxsize=16)  # nearly all requests come with the same one
def _is_ours(host: str) -> bool:
    match = _NAME.fullmatch(host)
    name = match["name"].strip("[]") if match else ""
    return _is_localhost(name) or _is_address(name)


def _is_localhost(name: str) -> bool:
    return name.lower().rstrip(".") == "localhost"


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
