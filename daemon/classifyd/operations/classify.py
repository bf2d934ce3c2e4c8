"""Classifies files at once, beside the daemon: nothing is recorded, published or moved."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from classifyd.core.errors import ClassifierError
from classifyd.core.gate import Limits, oversized
from classifyd.core.images import examine
from classifyd.core.names import encode_path
from classifyd.core.ports import Classifier
from classifyd.core.values import Image, Origin, Outcome, Source
from classifyd.pipeline.trial import Trial


@dataclass(frozen=True, slots=True)
class Answer:
    """What was found of a file: an outcome, or in words why there is none."""

    path: Path
    found: Outcome | str


def classify_files(
    paths: Iterable[Path], classifier: Classifier, limits: Limits, max_batch: int, max_batch_bytes: int
) -> Iterator[Answer]:
    """An answer for each file, in order. Holds one batch at a time: at most `max_batch` pictures, and
    `max_batch_bytes` unless a single picture is larger.

    Raises Unavailable when the model cannot be asked, ConfigurationError when it does not fit.
    """
    trial = Trial(classifier, too_large=lambda _: None)
    batch: list[tuple[Path, Image | Answer]] = []
    held = 0
    for path in paths:
        read = _read(path, limits)
        size = read.size_bytes if isinstance(read, Image) else 0
        if batch and (len(batch) == max_batch or held + size > max_batch_bytes):
            yield from _answers(batch, trial)
            batch, held = [], 0
        batch.append((path, read))
        held += size
    yield from _answers(batch, trial)


def _read(path: Path, limits: Limits) -> Image | Answer:
    try:
        size = path.stat().st_size
        if size > limits.max_bytes:
            return Answer(path, oversized(size, limits))
        data = path.read_bytes()
    except OSError as error:
        return Answer(path, f"cannot be read: {error.strerror}")
    name = encode_path(path)
    image, refusal = examine(Origin(Source.FOLDER, name, name=name), data, limits, datetime.now(UTC))
    return Answer(path, refusal) if refusal else image


def _answers(batch: list[tuple[Path, Image | Answer]], trial: Trial) -> Iterator[Answer]:
    images = [image for _, image in batch if isinstance(image, Image)]
    verdicts = dict(trial.verdicts(images)) if images else {}
    asked = 0
    for path, read in batch:
        if isinstance(read, Answer):
            yield read
            continue
        verdict = verdicts[asked]
        asked += 1
        yield Answer(path, str(verdict) if isinstance(verdict, ClassifierError) else verdict)
