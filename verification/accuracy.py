"""How often a model's first answer is right, from the JPEGs' bytes through the daemon's embedded engine.

    python -m verification.accuracy --data ../shared/data/cifar10-jpeg.zip
    python -m verification.accuracy --enlarged 320

Also how many pictures a second the engine classifies (decoding included), and the network alone; printed
as the model card's table. With `--enlarged` the pictures are enlarged first and the answers compared with
those to the same pictures decoded whole: what decoding at a reduced scale costs.
"""

import argparse
import io
import re
import tempfile
import time
import timeit
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image as Picture
from rich.console import Console
from rich.progress import track

from classifyd.core.gate import Limits
from classifyd.core.images import examine
from classifyd.core.times import utc_moment
from classifyd.core.values import Image, Origin, Prediction, Source
from classifyd.engines.bundled import bundled_model
from classifyd.engines.card import CARD
from classifyd.engines.onnx import OnnxClassifier, OnnxConfig
from classifyd.engines.onnx.cores import usable_cores

BATCH = 32
WORKERS = 2


def labelled_pictures(data: Path, split: str = "test") -> Iterator[tuple[str, bytes]]:
    """Label and bytes of every `<split>/<label>/<file>` of a folder or a zip."""
    if data.is_dir():
        for path in sorted((data / split).glob("*/*")):
            yield path.parent.name, path.read_bytes()
        return
    with zipfile.ZipFile(data) as archive:
        for name in sorted(archive.namelist()):
            parts = name.split("/")
            if parts[-3:-2] == [split] and parts[-1]:
                yield parts[-2], archive.read(name)


def right_answers(classifier: OnnxClassifier, pictures: list[tuple[str, bytes]]) -> int:
    """How many pictures get their own label as the first answer; in batches, from as many threads as the
    daemon uses."""

    def right(start: int) -> int:
        batch = pictures[start : start + BATCH]
        answers = classifier.classify([_image(data) for _, data in batch])
        return sum(
            isinstance(answer, Prediction) and answer.best.label == label
            for (label, _), answer in zip(batch, answers, strict=True)
        )

    starts = range(0, len(pictures), BATCH)
    with ThreadPoolExecutor(WORKERS) as workers:
        return sum(track(workers.map(right, starts), "classified", len(starts), console=Console(stderr=True)))


def enlarged(data: bytes, side: int) -> bytes:
    """The picture as a JPEG of `side` × `side` pixels."""
    stream = io.BytesIO()
    with Picture.open(io.BytesIO(data)) as picture:
        picture.resize((side, side), Picture.Resampling.LANCZOS).save(stream, "JPEG", quality=90)
    return stream.getvalue()


@contextmanager
def decoding_whole(model: Path) -> Iterator[Path]:
    """The folder of the same model whose card knows no decoding at a reduced scale; removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="classifyd-model-") as folder:
        for path in model.iterdir():
            Path(folder, path.name).symlink_to(path.absolute())
        card = Path(folder, CARD)
        text = card.read_text("utf-8")
        card.unlink()
        card.write_text(re.sub(r"(?ms)^\[preprocessing\.reduction\].*?(?=^\[|\Z)", "", text), "utf-8")
        yield Path(folder)


def network_rate(model: Path) -> float:
    """Pictures a second of the network alone on all cores, fed with noise: by the fastest of many batches,
    because the slower ones tell what else the machine did (as `timeit` documents of its repeats)."""
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    [given] = session.get_inputs()
    batch = np.random.default_rng(0).normal(size=(BATCH, *given.shape[1:])).astype(np.float32)
    return BATCH / min(timeit.repeat(lambda: session.run(None, {given.name: batch}), number=1, repeat=200))


def _image(data: bytes) -> Image:
    origin = Origin(Source.HTTP, key="http:accuracy")
    return examine(origin, data, Limits(), utc_moment("2026-01-01T00:00:00Z"))[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data/cifar10-jpeg.zip"))
    parser.add_argument("--model", type=Path, default=bundled_model("resnet_cifar10"), help="its folder")
    parser.add_argument(
        "--enlarged", type=int, metavar="SIDE", help="enlarge the pictures to this side first"
    )
    arguments = parser.parse_args()

    threads = max(1, usable_cores() // WORKERS)
    classifier = OnnxClassifier(OnnxConfig("measured", arguments.model, threads=threads))
    pictures = list(labelled_pictures(arguments.data))
    if arguments.enlarged:
        pictures = [(label, enlarged(data, arguments.enlarged)) for label, data in pictures]
        with decoding_whole(arguments.model) as folder:
            whole = OnnxClassifier(OnnxConfig("whole", folder, threads=threads))
        for name, one in (("", classifier), ("_decoded_whole", whole)):
            right = right_answers(one, pictures) / len(pictures)
            print(f"top1_enlarged_to_{arguments.enlarged}{name} = {right:.4f}")
        return
    started = time.perf_counter()
    right = right_answers(classifier, pictures)
    rate = len(pictures) / (time.perf_counter() - started)
    print("[accuracy]")
    print(f"pictures = {len(pictures)}")
    print(f"top1 = {right / len(pictures):.4f}")
    print(f"engine_pictures_per_second = {rate:.0f}  # decoding included")
    print(f"network_pictures_per_second = {network_rate(arguments.model / classifier.card.model):.0f}")


if __name__ == "__main__":
    main()
