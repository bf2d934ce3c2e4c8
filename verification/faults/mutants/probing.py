"""What each mutant goes through, and the processes of bounded memory and time in which it does."""

import io
import os
import resource
import signal
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from typing import Protocol

import numpy as np
from PIL import Image as Picture

from classifyd.core.control import CONTROL
from classifyd.core.gate import Limits
from classifyd.core.images import examine
from classifyd.core.values import Image, Origin, Prediction, Reason, Rejected, Source
from classifyd.engines.bundled import bundled_model
from classifyd.engines.card import Preprocessing, Reduction, read_card
from classifyd.engines.onnx import OnnxClassifier, OnnxConfig
from classifyd.engines.onnx.budget import PixelBudget
from classifyd.engines.onnx.pixels import Pixelator

LIMITS = Limits(max_bytes=2**20, max_pixels=1_000_000)
"""Those of the run: as much work as mutants of a few kilobytes may make."""

SECONDS_FOR_ONE = 1.0
"""Of CPU time, for a picture in gate and decoder, and for a batch in the model."""

MEMORY_FOR_ONE = 96 * 2**20
"""Above what a worker holds when it starts to work: a picture of a million pixels takes some 20 MB."""

REDUCED = Preprocessing(
    resize=(2, 2), reduction=Reduction(at_least=1.0, tolerance=255.0, mean_tolerance=255.0)
)
"""Has most mutants decoded at a reduced scale, which the bundled model does to larger pictures only."""

BATCH = 32
_DETAIL_AT_MOST = 300


class Broken(Exception):
    """A mutant did what none may do: the finding."""


class Probe(Protocol):
    """What mutants are put through. Raises Broken for a finding."""

    def look(self, number: int, data: bytes) -> tuple[str, Image | None]:
        """What became of a mutant, and the image to classify if it is one."""
        ...

    def classify(self, images: Sequence[Image]) -> None:
        """Classifies what decoded, in one batch."""
        ...


class DaemonProbe:
    """The daemon's gate, and its embedded engine with the bundled model."""

    def __init__(self) -> None:
        folder = bundled_model("resnet_cifar10")
        self._classifier = OnnxClassifier(OnnxConfig("resnet", folder, threads=1))
        preprocessing = read_card(folder).preprocessing
        assert preprocessing is not None
        self._pixelator = Pixelator(preprocessing, PixelBudget(LIMITS.max_pixels))
        self._reducing = Pixelator(REDUCED, PixelBudget(LIMITS.max_pixels))
        self._shape = (*preprocessing.size, 3)
        self.classify([CONTROL] * BATCH)  # the runtime takes its memory at the first batch

    def look(self, number: int, data: bytes) -> tuple[str, Image | None]:
        origin = Origin(Source.HTTP, key=f"http:{number}", name=f"{number}.jpg")
        image, refusal = examine(origin, data, LIMITS, datetime(2026, 1, 1, tzinfo=UTC))
        if refusal is not None:
            _require_a_reason(refusal)
            return f"refused by the gate: {refusal.reason}", None
        if not (image.width and image.height and image.width * image.height <= LIMITS.max_pixels):
            raise Broken(f"the gate passes {image.width} × {image.height} pixels")
        decoded = self._pixelator.decode(data)
        reduced = self._reducing.decode(data)
        if type(reduced) is not type(decoded):
            raise Broken(f"the engine says {_word(decoded)}, and at a reduced scale {_word(reduced)}")
        if isinstance(decoded, Rejected):
            _require_a_reason(decoded)
            if decoded.reason is not Reason.UNDECODABLE:
                raise Broken(f"the engine rejects for {decoded.reason}")
            return f"rejected by the engine: {decoded.reason}", image
        if not isinstance(decoded, np.ndarray):
            raise Broken(f"the engine says {decoded!r}, which is no word against a picture")
        if decoded.shape != self._shape or decoded.dtype != np.uint8:
            raise Broken(f"the engine decodes to {decoded.dtype}{decoded.shape}")
        _require_agreement(image)
        return "decoded", image

    def classify(self, images: Sequence[Image]) -> None:
        answers = self._classifier.classify(images)
        if len(answers) != len(images):
            raise Broken(f"{len(answers)} answers to {len(images)} pictures")
        for image, answer in zip(images, answers, strict=True):
            if not isinstance(answer, Prediction | Rejected):
                raise Broken(f"{image.origin.name} in a batch: {answer!r}")


def _word(decoded: object) -> str:
    return "yes" if isinstance(decoded, np.ndarray) else repr(decoded)


def _require_a_reason(rejected: Rejected) -> None:
    if not rejected.detail or len(rejected.detail) > _DETAIL_AT_MOST or not rejected.detail.isprintable():
        raise Broken(f"rejected with {rejected.detail!r}")


def _require_agreement(image: Image) -> None:
    """An independent reader of headers (Pillow's) has to see the dimensions that the gate saw, where it takes
    the header at all: it refuses some that libjpeg decodes."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Picture.open(io.BytesIO(image.data), formats=["JPEG"]) as picture:
                size = picture.size
    except OSError:
        return
    if size != (image.width, image.height):
        raise Broken(f"the gate sees {image.width} × {image.height} pixels, Pillow {size}")


@dataclass(frozen=True, slots=True)
class Finding:
    """A mutant that did what none may do: its number, what kind of fault, and what is known of it."""

    number: int
    kind: str
    detail: str


@dataclass(frozen=True, slots=True)
class Report:
    """A worker's word on some mutants. `resident` is its memory after them, `slowest` the most CPU seconds
    that one took and its number."""

    verdicts: Counter[str] = field(default_factory=Counter)
    findings: tuple[Finding, ...] = ()
    resident: int = 0
    slowest: tuple[float, int] = (0.0, -1)


def work(
    make_probe: Callable[[], Probe],
    mutants: "Numbered",
    orders: Connection,
    at: "Synchronized[int]",
    printed: Path,
) -> None:
    """A worker process: probes the mutants whose numbers it is sent, and sends a Report on them; ends when
    sent None. `at` tells the number that it is about, for the case that this kills it. Whatever is printed
    goes to the file `printed`, where nothing may be."""
    _redirect(printed)
    warnings.simplefilter("error")
    probe = make_probe()
    orders.send(Report(resident=_resident()))
    _limit_memory()
    while (numbers := orders.recv()) is not None:
        orders.send(_Round(probe, mutants, at).over(numbers))


class Numbered(Protocol):
    """Mutants by number."""

    def __getitem__(self, number: int) -> bytes: ...


class _Round:
    """One order of mutants."""

    def __init__(self, probe: Probe, mutants: Numbered, at: "Synchronized[int]") -> None:
        self._probe = probe
        self._mutants = mutants
        self._at = at
        self._verdicts: Counter[str] = Counter()
        self._findings: list[Finding] = []
        self._waiting: list[Image] = []
        self._slowest = (0.0, -1)

    def over(self, numbers: Sequence[int]) -> Report:
        for number in numbers:
            self._at.value = number
            self._probe_one(number, self._mutants[number])
            if len(self._waiting) == BATCH:
                self._classify(number)
        if self._waiting:
            self._classify(numbers[-1])
        return Report(self._verdicts, tuple(self._findings), _resident(), self._slowest)

    def _probe_one(self, number: int, data: bytes) -> None:
        started = time.process_time()
        with _Guard(number, self._findings):
            verdict, image = self._probe.look(number, data)
            self._verdicts[verdict] += 1
            if image is not None:
                self._waiting.append(image)
        self._slowest = max(self._slowest, (time.process_time() - started, number))

    def _classify(self, number: int) -> None:
        batch, self._waiting = self._waiting, []
        with _Guard(number, self._findings):
            self._probe.classify(batch)


class _Guard:
    """Bounds the CPU time of what runs within, and takes down what it raises or prints.

    The kernel is the watchdog: it ends a process whose timer runs out (SIGPROF), in whatever C code it is.
    """

    def __init__(self, number: int, findings: list[Finding]) -> None:
        self._number = number
        self._findings = findings
        self._printed = 0

    def __enter__(self) -> None:
        self._printed = os.fstat(2).st_size
        signal.setitimer(signal.ITIMER_PROF, SECONDS_FOR_ONE)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _trace: object) -> bool:
        signal.setitimer(signal.ITIMER_PROF, 0.0)
        sys.stdout.flush()
        if os.fstat(2).st_size != self._printed:
            self._findings.append(
                Finding(self._number, "printed", "a library printed: see the worker's output")
            )
        if not isinstance(error, Exception):
            return False
        told = str(error) if kind is Broken else repr(error)
        self._findings.append(Finding(self._number, "broken" if kind is Broken else "raised", told))
        return True


def _redirect(printed: Path) -> None:
    with printed.open("ab") as output:
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)


def _limit_memory() -> None:
    """RLIMIT_DATA counts what is private and writable; address space alone is not counted."""
    fields = Path("/proc/self/statm").read_text().split()
    held = int(fields[5]) * resource.getpagesize()
    _soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (held + MEMORY_FOR_ONE, hard))


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
