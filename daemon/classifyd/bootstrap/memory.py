"""How much memory the C library keeps that nothing uses any more."""

import ctypes
import os
from collections.abc import Mapping

_M_ARENA_MAX = -8  # malloc.h of glibc; mallopt(3) tells what it means
POOLS = 2
"""Pools that threads share: most of them run Python, which lets one work at a time."""


def keep_little(environment: Mapping[str, str] = os.environ) -> bool:
    """Has glibc's malloc keep few pools of memory; returns whether it does. Call it before threads start.

    Left to itself it has eight pools a core, and each keeps tens of megabytes free once a backlog was worked
    off: the process would grow with every outage, though nothing in it does. Where the environment tunes
    malloc already, or the C library is another (musl, macOS), nothing is changed. The sizes from which blocks
    go back to the system are left alone: smaller ones cost 0.2 ms a picture, for pages that are cleared again
    and again.
    """
    tuned = any(name == "GLIBC_TUNABLES" or name.startswith("MALLOC_") for name in environment)
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return not tuned and mallopt is not None and mallopt(_M_ARENA_MAX, POOLS) == 1
