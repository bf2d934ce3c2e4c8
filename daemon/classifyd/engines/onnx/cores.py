"""How many cores this process may keep busy, which in a container are often fewer than the machine has."""

import math
import os
from collections.abc import Iterator
from pathlib import Path

_OWN_GROUP = Path("/proc/self/cgroup")
_GROUPS = Path("/sys/fs/cgroup")


def usable_cores(own_group: Path = _OWN_GROUP, groups: Path = _GROUPS) -> int:
    """The cores that the process may run on, or the share of them that its control group (v2) or one above it
    allows, rounded up. More threads than that only get in each other's way."""
    allowed = getattr(os, "sched_getaffinity", None)  # macOS has none
    cores: float = len(allowed(0)) if allowed else os.cpu_count() or 1
    return math.ceil(min([cores, *_limits(own_group, groups)]))


def _limits(own_group: Path, groups: Path) -> Iterator[float]:
    """The limits of the process's control group and of those above it, as far as they can be seen from here.

    `cpu.max` holds microseconds of CPU time, or `max`, and of how many microseconds (the kernel's
    admin-guide/cgroup-v2).
    """
    for group in _own_and_above(own_group):
        try:
            quota, period = (groups / group / "cpu.max").read_text("ascii").split()
            yield int(quota) / int(period)
        except (OSError, ValueError, ZeroDivisionError):
            continue


def _own_and_above(own_group: Path) -> Iterator[Path]:
    """The process's own control group, and those above it, seen from the uppermost."""
    try:
        lines = own_group.read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        return
    for line in lines:
        if line.startswith("0::/"):
            group = Path(line.removeprefix("0::/"))
            yield from (group, *group.parents)
