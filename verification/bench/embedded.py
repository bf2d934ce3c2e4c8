"""4 and 5: the embedded engine behind the inbox, against a bare loop with the same model and no daemon."""

from pathlib import Path

from classifyd.engines.bundled import bundled_model
from verification.accuracy import labelled_pictures
from verification.bench import photos
from verification.bench.figures import Figure, at_least, side_by_side
from verification.bench.processes import CHECKOUT, run, through_the_daemon
from verification.bench.scale import Scale

CIFAR = CHECKOUT.parent / "shared" / "data" / "cifar10-jpeg.zip"


def small(scale: Scale, folder: Path) -> list[Figure]:
    """CIFAR-10 test pictures a second."""
    pictures = folder / "pictures"
    pictures.mkdir()
    for number, (_label, data) in zip(range(scale.small), labelled_pictures(CIFAR), strict=False):
        (pictures / f"{number:06d}.jpg").write_bytes(data)
    return [_compared("CIFAR-10 JPEGs, embedded", folder, scale.small, scale.rounds, 0.95)]


def large(scale: Scale, folder: Path) -> list[Figure]:
    """Pictures of 12 megapixels a second; the bare loop decodes them at full size."""
    photos.write_all(folder / "pictures", photos.large_photo(), scale.large)
    return [_compared("12-megapixel JPEGs, embedded", folder, scale.large, scale.rounds, 3)]


def _compared(name: str, folder: Path, count: int, rounds: int, bound: float) -> Figure:
    model = bundled_model("resnet_cifar10")
    return side_by_side(
        f"{name}, {count:,} files",
        "pictures/s",
        lambda: through_the_daemon(folder / "work", folder / "pictures", count, {}),
        lambda: float(run("verification.bench.straight", "embedded", model, folder / "pictures")),
        rounds,
        at_least(bound),
    )
