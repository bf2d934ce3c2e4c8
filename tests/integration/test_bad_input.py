"""What bad input gets, from end to end: a real daemon, real files, a real topic."""

import io
import json
import os
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from kafka import KafkaConsumer
from PIL import Image

from tests.integration.kafka.support import make_topic, send_all
from verification.kit.daemon import DaemonProcess

BOUND = 60.0

pytestmark = pytest.mark.timeout(240)


def picture(form: str = "JPEG", size: tuple[int, int] = (48, 32), **options: object) -> bytes:
    encoded = io.BytesIO()
    Image.effect_mandelbrot(size, (-2, -1, 1, 1), 20).convert("RGB").save(encoded, form, **options)
    return encoded.getvalue()


JPEG = picture()
BAD = {
    "png.jpg": (picture("PNG"), "not_a_jpeg"),
    "gif.jpg": (picture("GIF"), "not_a_jpeg"),
    "bmp.jpg": (picture("BMP"), "not_a_jpeg"),
    "text.jpg": (b"this is not a picture\n", "not_a_jpeg"),
    "empty.jpg": (b"", "empty"),
    "truncated.jpg": (JPEG[:-200], "truncated"),
    "many-pixels.jpg": (picture(size=(1200, 1000)), "too_large"),
    "many-bytes.jpg": (JPEG + bytes(300_000), "too_large"),
    "many-scans.jpg": (picture(progressive=True), "too_complex"),
}
SETTINGS = {
    "CLASSIFYD_LIMITS__MAX_PIXELS": "1M",
    "CLASSIFYD_LIMITS__MAX_BYTES": "256KiB",
    "CLASSIFYD_LIMITS__MAX_SCANS": "3",
    "CLASSIFYD_INBOX__SETTLE_TIME": "300ms",
    "CLASSIFYD_INBOX__INCOMPLETE_TIMEOUT": "2s",
}


def test_files(tmp_path: Path) -> None:
    daemon = DaemonProcess(tmp_path, SETTINGS)
    good = {
        os.fsencode("with space.jpg"),
        b"line\nbreak.jpg",
        b"not utf-8 \xff.jpg",
        os.fsencode("x" * 251 + ".jpg"),
        os.fsencode("100%.JPEG"),
    }
    left = {"still.jpg.part", ".hidden.jpg", "movie.mov", "link.jpg", "fifo.jpg"}
    with daemon:
        inbox = os.fsencode(daemon.inbox)
        for name, (data, _reason) in BAD.items():
            (daemon.inbox / name).write_bytes(data)
        for name in good:
            Path(os.fsdecode(os.path.join(inbox, name))).write_bytes(JPEG)  # noqa: PTH118
        for folder in ("2025", "2026"):
            (daemon.inbox / folder).mkdir()
            (daemon.inbox / folder / "same.jpg").write_bytes(JPEG)
        for name in ("still.jpg.part", ".hidden.jpg", "movie.mov"):
            (daemon.inbox / name).write_bytes(JPEG)
        (daemon.inbox / "link.jpg").symlink_to("/etc/hostname")
        os.mkfifo(daemon.inbox / "fifo.jpg")
        count = len(BAD) + len(good) + 2
        daemon.wait_until(lambda: daemon.count() >= count, BOUND, f"at {count} rows")
        daemon.wait_until(lambda: not set(daemon.inbox.glob("**/*.jp*g")) - _left(daemon), BOUND, "settled")
        (daemon.inbox / "2025" / "same.jpg").write_bytes(JPEG)
        daemon.wait_until(lambda: daemon.count() > count, BOUND, "at the second of that name")
        daemon.wait_until(lambda: not (daemon.inbox / "2025" / "same.jpg").exists(), BOUND, "settled")
        assert daemon.stop() == 0

    rows = daemon.rows()
    assert len(rows) == count + 1
    rejected = {row["name"]: row["error_code"] for row in rows if row["status"] == "rejected"}
    assert rejected == {name: reason for name, (_data, reason) in BAD.items()}
    for row in rows:
        assert row["stored_path"], row
    for name, (data, reason) in BAD.items():
        assert (daemon.failed / name).read_bytes() == data
        assert json.loads((daemon.failed / f"{name}.error.json").read_text())["reason"] == reason
    stored = [path for path in daemon.done.rglob("*") if path.is_file()]
    assert len(stored) == len(good) + 3
    assert {os.fsencode(path.name) for path in stored} >= good
    assert {path.name for path in daemon.inbox.iterdir() if not path.is_dir()} == left


def _left(daemon: DaemonProcess) -> set[Path]:
    return {daemon.inbox / name for name in (".hidden.jpg", "link.jpg", "fifo.jpg")}


def test_requests(tmp_path: Path) -> None:
    with DaemonProcess(tmp_path, SETTINGS) as daemon:
        for name, (data, reason) in BAD.items():
            status, problem = _post(daemon, data)
            assert status == (413 if reason in ("too_large", "too_complex") else 400), (name, problem)
            assert problem["status"] == status
            assert problem["detail"]
            assert problem["form"] == "application/problem+json"
        status, answer = _post(daemon, JPEG)
        assert (status, list(answer)) == (200, ["classes"])
        assert daemon.count() == 1
        assert daemon.stop() == 0


def _post(daemon: DaemonProcess, data: bytes) -> tuple[int, dict]:
    request = urllib.request.Request(
        f"{daemon.url}/classify/resnet", data, {"Content-Type": "image/jpeg"}, method="POST"
    )
    try:
        with urllib.request.urlopen(request, timeout=BOUND) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        with error:
            form = error.headers["Content-Type"]
            return error.code, {**json.loads(error.read()), "form": form}


@pytest.mark.kafka
def test_records(tmp_path: Path, broker) -> None:
    topic = make_topic(broker, "bad-pictures", 2)
    letters = make_topic(broker, "bad-pictures.dead-letter", 1)
    settings = {
        **SETTINGS,
        "CLASSIFYD_KAFKA__BOOTSTRAP_SERVERS": broker.bootstrap_servers,
        "CLASSIFYD_KAFKA__INPUT__TOPIC": topic,
        "CLASSIFYD_KAFKA__INPUT__GROUP_ID": topic,
    }
    values = [data for data, _reason in BAD.values()]
    with DaemonProcess(tmp_path, settings) as daemon:
        send_all(broker, topic, [*values, JPEG, None])
        count = len(BAD) + 1
        daemon.wait_until(lambda: daemon.count() >= count, BOUND, f"at {count} rows")
        daemon.wait_until(
            lambda: not daemon.rows("SELECT 1 FROM outbox WHERE published_at IS NULL"), BOUND, "published"
        )
        assert daemon.stop() == 0
    reasons = {row["error_code"] for row in daemon.rows() if row["status"] == "rejected"}
    assert reasons == {reason for _data, reason in BAD.values()}
    consumer = KafkaConsumer(
        letters, **broker.connection, auto_offset_reset="earliest", consumer_timeout_ms=5000
    )
    try:
        found = {record.value: dict(record.headers)["classifyd-reason"].decode() for record in consumer}
    finally:
        consumer.close()
    assert found == dict(BAD.values())
