"""`make samples`: a few real photographs, and a PNG, in `verification/test_data/`.

They are scikit-image's own sample pictures, which its package carries; none is fetched. What the models
should answer for them stands in `verification/expected.toml`.
"""

import argparse
from pathlib import Path

import skimage.data
from PIL import Image

FOLDER = Path(__file__).parent / "test_data"

PHOTOGRAPHS = {
    "cat.jpg": "chelsea.png",
    "astronaut.jpg": "astronaut.png",
    "coffee.jpg": "coffee.png",
    "motorcycle.jpg": "motorcycle_left.png",
    "rocket.jpg": "rocket.jpg",
    "coins_grey.jpg": "coins.png",
}
"""File to write: scikit-image's own file."""

NOT_A_JPEG = {"cat.png": "chelsea.png"}
QUALITY = 95


def write_samples(folder: Path) -> list[Path]:
    """Writes all samples into `folder`, which is made if missing; returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    return [_write(folder / name, source) for name, source in (PHOTOGRAPHS | NOT_A_JPEG).items()]


def _write(path: Path, source: str) -> Path:
    with Image.open(Path(skimage.data.data_dir) / source) as picture:
        if path.suffix == ".png":
            picture.save(path)
        else:
            picture.save(path, "JPEG", quality=QUALITY)
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?", default=FOLDER)
    for path in write_samples(parser.parse_args().folder):
        print(path)


if __name__ == "__main__":
    main()
