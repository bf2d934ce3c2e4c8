"""What befalls a daemon's machine: locks, limits, and disks that are full, fail or take nothing.

What needs a right or a tool that is not there skips its test, with the reason.
"""

import os
import resource
import sqlite3
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

BOUND = 60.0


def or_skip(command: Sequence[str | Path], what: str) -> None:
    """Runs a command; where it cannot be run, or fails, the test is skipped."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError as missing:
        pytest.skip(f"{what}: there is no {missing.filename}")
    if done.returncode:
        pytest.skip(f"{what}: {done.stderr.strip()}")


@contextmanager
def write_lock(database: Path) -> Iterator[None]:
    """What another program does that writes and does not come to an end."""
    other = sqlite3.connect(database, isolation_level=None, timeout=BOUND)
    try:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")
    finally:
        other.close()


def watches_limited_to(number: int) -> tuple[str, ...]:
    """The beginning of a command that may have so many inotify watches. Skips the test where this user may
    make no user namespace, which has a limit of its own."""
    limit = f"echo {number} > /proc/sys/user/max_inotify_watches"
    within = ("unshare", "--user", "--map-root-user", "sh", "-c", f'{limit} && exec "$@"', "sh")
    or_skip([*within, "true"], "the limit on inotify's watches cannot be set here")
    return within


@contextmanager
def small_disk(folder: Path, size: str = "4m") -> Iterator[Path]:
    """A disk of its own that is soon full. Skips the test where this user may not mount one."""
    folder.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=0777", "tmpfs", folder]
    or_skip(mount, "no file system may be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextmanager
def disk_with_errors(folder: Path) -> Iterator[Callable[[], None]]:
    """A disk of its own, and what makes the kernel put it to read-only under everybody's open files, as
    after an error; called again it is repaired. Skips the test where this user may not have one."""
    image = folder.with_name(f"{folder.name}.img")
    folder.mkdir(parents=True)
    with image.open("wb") as file:
        file.truncate(32 << 20)
    mount = ["mount", "-o", "loop", str(image), str(folder)]
    for command in (["mkfs.ext4", "-q", "-F", str(image)], mount):
        or_skip(command, "no file system may be mounted here")
    unmount = ["umount", str(folder)]
    steps = iter([[["mount", "-o", "remount,abort", str(folder)]], [unmount, mount]])

    def next_step() -> None:
        for command in next(steps):
            subprocess.run(command, check=True)

    try:
        yield next_step
    finally:
        subprocess.run([*unmount, "--lazy"], check=True)


@contextmanager
def filled(folder: Path) -> Iterator[None]:
    """No byte is free any more on the disk of a folder, for a while."""
    filler = folder / "filler.bin"
    with filler.open("wb", buffering=0) as file:
        for size in (1 << 16, 1 << 12, 1):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError:  # full, for pieces of this size
                continue
    try:
        yield
    finally:
        filler.unlink()


@contextmanager
def unwritable(*paths: Path) -> Iterator[None]:
    """Files and folders that may not be changed for a while: immutable for the superuser, whom no mode
    stops, without the right to write for others. Skips the test where neither can be had."""
    if os.geteuid():
        modes = {path: path.stat().st_mode for path in paths}
        for path in paths:
            path.chmod(modes[path] & ~0o222)
        try:
            yield
        finally:
            for path, mode in modes.items():
                path.chmod(mode)
        return
    made: list[Path] = []
    try:
        for path in paths:
            or_skip(["chattr", "+i", path], "nothing can be made immutable here")
            made.append(path)
        yield
    finally:
        for path in made:
            subprocess.run(["chattr", "-i", path], check=True)


@contextmanager
def no_larger_files(process: int, largest: int = 0) -> Iterator[None]:
    """A process may write to no byte of a file beyond `largest`, for a while (RLIMIT_FSIZE)."""
    before = resource.prlimit(process, resource.RLIMIT_FSIZE)
    resource.prlimit(process, resource.RLIMIT_FSIZE, (largest, before[1]))
    try:
        yield
    finally:
        resource.prlimit(process, resource.RLIMIT_FSIZE, before)
