"""Names are text: none of them becomes a path, a line of the log or a file anywhere else."""

import os
import re
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.faults.hostile import CONSOLE, HOSTILE, JPEG, NO_JPEG, check_log, stored
from tests.faults.wire import BOUND, ask, head
from verification.faults import evidence
from verification.kit.daemon import DaemonProcess
from verification.kit.pictures import jpeg

pytestmark = pytest.mark.timeout(240)


def tree(*folders: Path) -> dict[str, bytes | str]:
    """Everything in folders: what files hold, where symlinks lead, and that folders are there."""
    found: dict[str, bytes | str] = {}
    for folder in folders:
        for path in folder.rglob("*"):
            link = path.is_symlink()
            found[os.fsdecode(path)] = (
                str(path.readlink()) if link else path.read_bytes() if path.is_file() else "no file"
            )
    return found


def drop(folder: Path, name: bytes, data: bytes) -> None:
    """Puts a file there whole, under a name that is bytes."""
    target = os.fsencode(folder) + b"/" + name
    descriptor = os.open(target + b".part" if len(name) < 250 else target, os.O_WRONLY | os.O_CREAT)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
    if len(name) < 250:
        os.rename(target + b".part", target)  # noqa: PTH104 (bytes)


def test_hostile_names_of_files(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "canary").write_bytes(b"untouched")
    before = tree(outside)
    bad = [b"bad" + name[-200:] for name in HOSTILE]
    with DaemonProcess(tmp_path / "home", CONSOLE) as daemon:
        deep = daemon.inbox / "%2e%2e%2f..%2foutside" / "x.jpg" / "a\nb"
        deep.mkdir(parents=True)
        for folder in (daemon.inbox, deep):
            for name in HOSTILE:
                drop(folder, name, JPEG)
            for name in bad:
                drop(folder, name, NO_JPEG)
        count = 4 * len(HOSTILE)
        daemon.wait_until(lambda: daemon.count() == count, BOUND, f"at {count} rows")
        daemon.wait_until(lambda: not _pictures(daemon.inbox), BOUND, "done moving")
        assert daemon.stop() == 0

    rows = daemon.rows()
    assert sorted({row["status"] for row in rows}) == ["classified", "rejected"]
    for row in rows:
        assert row["name"].isprintable() or "\u202e" in row["name"]
        assert len(row["name"].splitlines()) == 1
        place = Path(os.fsdecode(_decoded(row["stored_path"])))
        assert place.is_file(), row
        home = daemon.done if row["status"] == "classified" else daemon.failed
        assert place.resolve().is_relative_to(home.resolve())
    assert sorted(name for name in stored(daemon) if not name.endswith(b".error.json")) == sorted(
        2 * [*HOSTILE, *bad]
    )
    assert {path.name for path in tmp_path.iterdir()} == {"home", "outside"}
    assert {path.name for path in (tmp_path / "home").iterdir()} == {"data", "daemon.log"}
    assert tree(outside) == before
    check_log(daemon)


def _decoded(text: str) -> bytes:
    return re.sub(rb"%([0-9A-F]{2})", lambda match: bytes.fromhex(match[1].decode()), text.encode())


def test_what_is_no_file_is_left_alone_and_nothing_is_written_through_a_link(
    tmp_path: Path,
) -> None:
    outside = tmp_path / "outside"
    (outside / "album").mkdir(parents=True)
    for name in ("secret.jpg", "shared.jpg", "album/inner.jpg"):
        (outside / name).write_bytes(JPEG)
    before = tree(outside)
    daemon = DaemonProcess(tmp_path / "home", CONSOLE)
    daemon.inbox.mkdir(parents=True)
    daemon.failed.mkdir()
    for day in range(2):  # the test may run at midnight
        daemon.done.mkdir(exist_ok=True)
        (daemon.done / f"{(datetime.now(UTC) + timedelta(days=day)).date()}").symlink_to(outside)
    (daemon.failed / "sub").symlink_to(outside)
    left = {
        "link.jpg",
        "dangling.jpg",
        "loop.jpg",
        "album.jpg",
        "album",
        "fifo.jpg",
        "socket.jpg",
        "null.jpg",
    }
    (daemon.inbox / "link.jpg").symlink_to(outside / "secret.jpg")
    (daemon.inbox / "dangling.jpg").symlink_to(outside / "nothing.jpg")
    (daemon.inbox / "loop.jpg").symlink_to("loop.jpg")
    (daemon.inbox / "album.jpg").symlink_to(outside / "album")
    (daemon.inbox / "album").symlink_to(outside / "album")
    os.mkfifo(daemon.inbox / "fifo.jpg")
    if os.geteuid() == 0:
        os.mknod(daemon.inbox / "null.jpg", 0o020666, os.makedev(1, 3))
    else:
        left.remove("null.jpg")
    (daemon.inbox / "hard.jpg").hardlink_to(outside / "shared.jpg")
    (daemon.inbox / "folder.jpg").mkdir()
    (daemon.inbox / "folder.jpg" / "inner.jpg").write_bytes(JPEG)
    (daemon.inbox / "sub").mkdir()
    (daemon.inbox / "sub" / "bad.jpg").write_bytes(NO_JPEG)
    with socket.socket(socket.AF_UNIX) as listener:
        folder = os.open(daemon.inbox, os.O_RDONLY)
        try:
            listener.bind(f"/proc/self/fd/{folder}/socket.jpg")  # a socket's path may be but 107 bytes long
        finally:
            os.close(folder)
        with daemon:
            daemon.wait_until(lambda: daemon.count() == 3, BOUND, "at 3 rows")
            daemon.wait_until(lambda: not _pictures(daemon.inbox), BOUND, "done moving")
            assert daemon.stop() == 0

    assert tree(outside) == before
    assert {path.name for path in daemon.inbox.iterdir()} - {".classifyd", "folder.jpg", "sub"} == left
    assert sorted(stored(daemon)) == [b"bad.jpg", b"bad.jpg.error.json", b"hard.jpg", b"inner.jpg"]
    assert (outside / "shared.jpg").stat().st_nlink == 2, "the picture was copied instead of moved"
    check_log(daemon)


def _pictures(inbox: Path) -> list[Path]:
    """What waits in the inbox, or is claimed and not yet moved."""
    return [
        path
        for path in evidence.paths(inbox)
        if path.suffix == ".jpg" and path.is_file() and not path.is_symlink()
    ]


def test_a_file_that_becomes_a_link_between_look_and_open_is_not_followed(tmp_path: Path) -> None:
    """Swapped again and again while the daemon works: it reads the file or nothing, never the link's."""
    secret = tmp_path / "secret.jpg"
    secret.write_bytes(jpeg("blue", (77, 77)))
    with DaemonProcess(tmp_path / "home", {**CONSOLE, "CLASSIFYD_INBOX__RESCAN_INTERVAL": "100ms"}) as daemon:
        spare = daemon.folder / "spare"
        for number in range(300):
            place = daemon.inbox / f"{number}.jpg"
            place.write_bytes(JPEG)
            spare.symlink_to(secret)
            spare.rename(place)  # in one step, wherever the daemon is with this file
            (daemon.inbox / f"{number}-sound.jpg").write_bytes(JPEG)
        daemon.wait_until(
            lambda: len(daemon.rows("SELECT 1 FROM results WHERE name LIKE '%sound%'")) == 300,
            BOUND,
            "done with the sound ones",
        )
        assert daemon.stop() == 0
    assert not [row for row in daemon.rows() if row["width"] == 77]
    assert secret.read_bytes() == jpeg("blue", (77, 77))
    assert not [path for path in daemon.done.rglob("*") if path.is_symlink()]


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory):
    settings = {**CONSOLE, "CLASSIFYD_INBOX__ENABLED": "false"}
    with DaemonProcess(tmp_path_factory.mktemp("names"), settings) as running:
        yield running


@pytest.mark.parametrize(
    "target",
    [
        "/classify/../../etc/passwd",
        "/classify/..%2f..%2fetc%2fpasswd",
        "/classify/%2e%2e%2f%2e%2e%2fetc%2fpasswd",
        "/classify/%252e%252e%252f",
        "/classify/resnet%00",
        "/classify/resnet%00.jpg",
        "/classify/%ff%fe",
        "/classify/resnet%0a",
        f"/classify/{'x' * 10_000}",
        "/classify/RESNET",
        "/classify/resnet/../resnet",
        "/classify/__class__",
        "/classify/{model}",
        "/classify/%7b0.__class__%7d",
        "/docs/assets/../../../../../../etc/passwd",
        "/docs/assets/..%2f..%2f..%2f..%2f..%2f..%2fetc%2fpasswd",
        "/docs/assets/%00",
        "/docs/assets//etc/passwd",
        f"/docs/assets/{'x' * 5000}",
        f"/docs/assets/{'x/' * 3000}",
        "/docs/assets/",
        "/docs/assets",
        "/results/..%2f..%2fetc",
        "/results/%00",
        f"/results/{'x' * 10_000}",
        "//etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/\u202e".encode().hex().join(("/", "")),
    ],
)
def test_no_path_of_a_request_is_a_path_of_the_system(serving: DaemonProcess, target: str) -> None:
    for method in ("GET", "POST"):
        answer = ask(serving, head(method, target, f"Content-Length: {len(JPEG)}") + JPEG, method)
        assert answer.status in (307, 404, 405, 422), (method, answer)
        assert b"root:" not in answer.body
        assert answer.status == 307 or answer.is_problem
    check_log(serving)


def test_names_of_uploads_are_but_text(serving: DaemonProcess, tmp_path: Path) -> None:
    names = [
        name.replace(b"\r", b"").replace(b"\n", b"").replace(b'"', b"%22")
        for name in [*HOSTILE, b"/etc/passwd", b"../../../etc/passwd", b"C:\\boot.ini", b"\0", b"x" * 3000]
    ]
    before, begun = tree(serving.folder), serving.count()
    for name in names:
        form = b'--b\r\nContent-Disposition: form-data; name="image"; filename="%b"\r\n\r\n%b\r\n--b--\r\n'
        body = form % (name, JPEG)
        lines = ["Content-Type: multipart/form-data; boundary=b", f"Content-Length: {len(body)}"]
        assert ask(serving, head("POST", "/classify/resnet", *lines) + body).status in (200, 400), name
    rows = [row for row in serving.rows() if row["name"]]
    assert len(rows) >= len(names) - 3 + begun
    for row in rows:
        assert len(row["name"].splitlines()) == 1
        assert row["path"] is None
        assert row["stored_path"] is None
    assert tree(serving.folder).keys() == before.keys()
    check_log(serving)
