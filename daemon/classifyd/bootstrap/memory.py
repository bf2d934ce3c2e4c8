"""How much memory the C library keeps that nothing uses any more."""

import ctypes
import os
from collections.abc import Mapping

# malloc.h of glibc; mallopt(3) tells what they mean.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8

LARGE = 256 * 2**10
"""Bytes from which a block is taken from the system and given back alone, and which a pool keeps free."""
POOLS = 2
"""Pools that threads share: most of them run Python, which lets one work at a time."""


def keep_little(environment: Mapping[str, str] = os.environ) -> bool:
    """Has glibc's malloc give back what is freed; returns whether it does. To be called before threads start.

    Left to itself it has eight pools a core, and once a large block was freed each keeps up to 64 MiB: the
    process would grow with every backlog, though nothing in it does. Where the environment tunes malloc
    already, or the C library is another (musl, macOS), nothing is changed.
    """
    tuned = any(name == "GLIBC_TUNABLES" or name.startswith("MALLOC_") for name in environment)
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if tuned or mallopt is None:
        return False
    options = {_M_ARENA_MAX: POOLS, _M_MMAP_THRESHOLD: LARGE, _M_TRIM_THRESHOLD: LARGE}
    return all(mallopt(option, value) == 1 for option, value in options.items())
