"""A process's descriptors as the system lists them (Linux, proc(5))."""

from pathlib import Path

ESTABLISHED = "01"  # TCP_ESTABLISHED, include/net/tcp_states.h


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
