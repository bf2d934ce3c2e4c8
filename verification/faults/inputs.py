"""How pictures are put in."""

from pathlib import Path

from verification.faults.evidence import sha256
from verification.faults.oracle import Dropped


def move_in(inbox: Path, name: str, data: bytes, good: bool = True) -> Dropped:
    """Moves a file into the inbox whole, `name` being its path there; and what to remember of it."""
    path = inbox / name
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.part")
    partial.write_bytes(data)
    partial.rename(path)
    return Dropped(name, sha256(data), good)
