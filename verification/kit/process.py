"""A process as the system tells of it: its memory, its CPU time, its descriptors (Linux, proc(5))."""

import os
from pathlib import Path

ESTABLISHED = "01"  # TCP_ESTABLISHED, include/net/tcp_states.h


def status(pid: int) -> dict[str, str]:
    """The lines of its status file by name."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def memory(pid: int, kind: str = "VmHWM") -> int:
    """Bytes of its memory that were resident at most (VmHWM), or are now (VmRSS)."""
    return int(status(pid)[kind].split()[0]) * 1024


def cpu(pid: int) -> float:
    """Seconds that it computed, for itself and within the system."""
    return _cpu(Path(f"/proc/{pid}/stat"))


def thread_cpu(pid: int) -> dict[int, float]:
    """The same of each of its threads, by their numbers in the system."""
    return {int(thread.name): _cpu(thread / "stat") for thread in Path(f"/proc/{pid}/task").iterdir()}


def _cpu(stat: Path) -> float:
    fields = stat.read_text().rpartition(")")[2].split()  # a name may hold blanks and parentheses
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def targets(pid: int) -> list[str]:
    """What each descriptor leads to: a path, or as `socket:[12345]`."""
    found = []
    for link in Path(f"/proc/{pid}/fd").iterdir():
        try:
            found.append(str(link.readlink()))
        except FileNotFoundError:
            continue  # closed meanwhile
    return found


def sockets(pid: int) -> set[str]:
    """The inodes of its sockets."""
    return {target[len("socket:[") : -1] for target in targets(pid) if target.startswith("socket:[")}


def connections(pid: int) -> int:
    """How many of them are TCP connections."""
    own = sockets(pid)
    lines = [*table(pid, "tcp"), *table(pid, "tcp6")]
    return sum(line[3] == ESTABLISHED and line[9] in own for line in lines)


def table(pid: int, kind: str) -> list[list[str]]:
    """A table of all sockets that the process could see (tcp, udp, unix, ...), line by line, in columns."""
    return [line.split() for line in Path(f"/proc/{pid}/net/{kind}").read_text().splitlines()[1:]]
