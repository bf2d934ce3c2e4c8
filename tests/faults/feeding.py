"""A daemon that is fed through its inbox, and the oracle's verdict on what became of it."""

import itertools
import os
import resource
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from verification.faults import evidence, oracle
from verification.faults.oracle import Dropped, Folders, Inputs
from verification.kit.daemon import DaemonProcess
from verification.kit.pictures import jpeg

BOUND = 60.0

_numbers = itertools.count()


def picture() -> bytes:
    """A JPEG unlike any other of this run: a comment numbers it."""
    return jpeg("teal", comment=b"%d" % next(_numbers))


class Feeder:
    """Drops pictures into a daemon's inbox, and remembers them for the oracle."""

    def __init__(self, daemon: DaemonProcess) -> None:
        self.daemon = daemon
        self.dropped: list[Dropped] = []

    def drop(self, *names: str, data: bytes | None = None, good: bool = True) -> None:
        """Moves a picture of its own into the inbox under each of these paths."""
        for name in names:
            content = data or picture()
            path = self.daemon.inbox / name
            path.parent.mkdir(parents=True, exist_ok=True)
            hidden = path.with_name(f"{path.name}.part")
            hidden.write_bytes(content)
            hidden.rename(path)
            self.note(name, content, good)

    def note(self, name: str, content: bytes, good: bool = True) -> None:
        """A picture that the test brought into the inbox in its own way."""
        self.dropped.append(Dropped(name, evidence.sha256(content), good))

    @property
    def claims(self) -> list[Path]:
        """The claimed files."""
        return [path for path in (self.daemon.inbox / ".classifyd" / "claimed").rglob("*") if path.is_file()]

    def wait_until_claimed(self, count: int) -> None:
        """Waits until so many files are claimed."""
        self.daemon.wait_until(lambda: len(self.claims) == count, BOUND, f"holding {count} files")

    def wait_until_settled(self, bound: float = BOUND) -> None:
        """Waits until every picture has a row and has left the inbox."""
        self.daemon.wait_until(self._settled, bound, f"done with {len(self.dropped)} pictures")

    @property
    def recorded(self) -> int:
        """How many rows came from the inbox."""
        found = self.daemon.rows("SELECT count(*) AS n FROM results WHERE source = 'folder'")
        return int(found[0]["n"]) if found else 0

    @property
    def empty(self) -> bool:
        """Whether every picture has left the inbox."""
        return not _any_file(self.daemon.inbox)

    def _settled(self) -> bool:
        return self.recorded >= len(self.dropped) and self.empty

    def put_away(self) -> list[evidence.Found]:
        """What lies in `done`."""
        return evidence.files(self.daemon.done)

    def violations(self) -> list[str]:
        """What the oracle finds broken while nothing is under way."""
        inputs = Inputs(dropped=self.dropped)
        rows = evidence.rows(self.daemon.database)
        folders = Folders(
            inbox=evidence.files(self.daemon.inbox),
            done=evidence.files(self.daemon.done),
            failed=evidence.files(self.daemon.failed),
            sidecars=frozenset(evidence.sidecars(self.daemon.failed)),
        )
        return [*oracle.rows_at_rest(inputs, rows), *oracle.files_at_rest(inputs, rows, folders)]

    def wait_until_told(self, part: str, *words: str) -> None:
        """Waits until `/readyz` says that a part is down, with each of these words in the reason."""

        def told() -> bool:
            status, report = self.daemon.get("/readyz")
            state = report["parts"][part] if report else {"up": True}
            return status == 503 and not state["up"] and all(word in state["detail"] for word in words)

        self.daemon.wait_until(told, BOUND, f"telling of {part}: {words}")

    def wait_until_ready(self) -> None:
        """Waits until every part is up."""
        self.daemon.wait_until(lambda: self.daemon.get("/readyz")[0] == 200, BOUND, "ready")


def _any_file(folder: Path) -> bool:
    return any(
        not name.endswith((evidence.LOCKS, evidence.SIDECAR))
        for _where, _folders, names in os.walk(folder)
        for name in names
    )


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
    tried = subprocess.run([*within, "true"], capture_output=True, text=True, check=False)
    if tried.returncode:
        pytest.skip(f"the limit on inotify's watches cannot be set here: {tried.stderr.strip()}")
    return within


@contextmanager
def small_disk(folder: Path, size: str = "4m") -> Iterator[Path]:
    """A disk of its own that is soon full. Skips the test where this user may not mount one."""
    folder.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=0777", "tmpfs", str(folder)]
    mounted = subprocess.run(mount, capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"no file system may be mounted here: {mounted.stderr.strip()}")
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
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"no file system may be mounted here: {done.stderr.strip()}")
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
    frozen = subprocess.run(["chattr", "+i", *paths], capture_output=True, text=True, check=False)
    try:
        if frozen.returncode:
            pytest.skip(f"nothing can be made immutable here: {frozen.stderr.strip()}")
        yield
    finally:
        subprocess.run(["chattr", "-i", *paths], check=not frozen.returncode, capture_output=True)


@contextmanager
def no_larger_files(process: int, largest: int = 0) -> Iterator[None]:
    """A process may write to no byte of a file beyond `largest`, for a while (RLIMIT_FSIZE)."""
    before = resource.prlimit(process, resource.RLIMIT_FSIZE)
    resource.prlimit(process, resource.RLIMIT_FSIZE, (largest, before[1]))
    try:
        yield
    finally:
        resource.prlimit(process, resource.RLIMIT_FSIZE, before)
