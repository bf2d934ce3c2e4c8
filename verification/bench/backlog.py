"""1: a backlog of files through the answer-at-once server into the database and into `done`."""

from pathlib import Path

from verification.bench import photos
from verification.bench.figures import Figure, at_least, side_by_side
from verification.bench.processes import (
    INSTANT_GRPC,
    NOBODY,
    answering_at_once,
    listening,
    run,
    through_the_daemon,
)
from verification.bench.scale import Scale

OUTBOX = {
    # An output topic whose broker is away: every row has its message in the outbox, and none is sent.
    "CLASSIFYD_KAFKA__BOOTSTRAP_SERVERS": NOBODY,
    "CLASSIFYD_KAFKA__OUTPUT__TOPIC": "outcomes",
}


def measure(scale: Scale, folder: Path) -> list[Figure]:
    """Pictures per second, from the first file read to the last one moved; start-up is not counted. The
    daemon asks over REST as the straight loop does, and then over gRPC."""
    pictures = folder / "pictures"
    photos.write_all(pictures, photos.photo(), scale.backlog)

    with answering_at_once() as rest, listening(*INSTANT_GRPC) as grpc:
        return [_backlog(scale, folder, pictures, rest, rest), _backlog(scale, folder, pictures, grpc, rest)]


def _backlog(scale: Scale, folder: Path, pictures: Path, url: str, loop_url: str) -> Figure:
    interface = "gRPC" if url.startswith("grpc:") else "REST"
    return side_by_side(
        f"backlog of {scale.backlog:,} files over {interface}, rows and outbox rows, moved",
        "pictures/s",
        lambda: through_the_daemon(folder / "work", pictures, scale.backlog, OUTBOX, "--model-url", url),
        lambda: float(run("verification.bench.straight", "files", loop_url, pictures)),
        scale.rounds,
        at_least(1.2),
    )
