"""Hostile pictures: mutants through the gate and the embedded engine; and that a run finds what it should."""

import os
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from random import Random

import pytest

from classifyd.core.values import Image
from verification.faults.mutants.corpus import corpus
from verification.faults.mutants.mutation import MUTATORS, Mutants
from verification.faults.mutants.probing import BATCH, Broken
from verification.faults.mutants.running import Run, described
from verification.kit.pictures import image

WORKERS = 2


@pytest.mark.timeout(900)
def test_no_mutant_harms_the_gate_or_the_engine(tmp_path: Path) -> None:
    total = Run(Mutants(2026, list(corpus().values())), tmp_path).over(range(50_000), WORKERS)
    assert not total.findings, described(total)
    assert sum(total.verdicts.values()) == 50_000
    assert total.verdicts["decoded"] > 5_000
    assert total.verdicts["rejected by the engine: undecodable"] > 5_000
    assert (tmp_path / "printed.log").read_bytes() == b""


def test_a_mutant_follows_from_seed_and_number() -> None:
    pictures = list(corpus().values())
    first, same, other = Mutants(1, pictures), Mutants(1, pictures), Mutants(2, pictures)
    numbers = range(200)
    assert [first[number] for number in numbers] == [same[number] for number in reversed(numbers)][::-1]
    assert len({first[number] for number in numbers} | {other[number] for number in numbers}) > 350


def test_every_mutator_changes_most_pictures() -> None:
    pictures = list(corpus().values())
    for mutator in MUTATORS:
        changed = sum(mutator(Random(number), data, pictures) != data for number, data in enumerate(pictures))
        assert changed > len(pictures) // 2, mutator


class Numbers:
    """Mutants that are their numbers."""

    def __getitem__(self, number: int) -> bytes:
        return b"%d" % number


class Faulty:
    """A probe that does, for some numbers, what no mutant may."""

    def look(self, number: int, data: bytes) -> tuple[str, Image | None]:
        fault = getattr(self, f"fault_of_{number}", lambda: None)
        fault()
        return "looked at", image(data)

    def classify(self, images: Sequence[Image]) -> None:
        if any(each.data == b"800" for each in images):
            raise Broken("no answer")

    def fault_of_10(self) -> None:
        os.abort()

    def fault_of_11(self) -> None:
        while True:
            pass

    def fault_of_300(self) -> None:
        warnings.warn("careless", stacklevel=1)

    def fault_of_301(self) -> None:
        os.write(2, b"careless")

    def fault_of_302(self) -> None:
        bytearray(2**30)


class Growing(Faulty):
    """A probe that keeps 10 KB of each mutant."""

    def __init__(self) -> None:
        self._kept: list[bytes] = []

    def look(self, number: int, data: bytes) -> tuple[str, Image | None]:
        self._kept.append(os.urandom(10_000))
        return "kept", None


class Unable:
    """A probe that cannot even be made."""

    def __init__(self) -> None:
        sys.exit(3)


def test_what_a_mutant_may_not_do_is_found_and_saved(tmp_path: Path) -> None:
    total = Run(Numbers(), tmp_path, Faulty).over(range(1000), WORKERS)
    (broken, batch), *others = sorted((finding.kind, finding.number) for finding in total.findings)
    assert broken == "broken"
    assert batch in range(800, 800 + BATCH)
    assert others == [("crash", 10), ("hang", 11), ("printed", 301), ("raised", 300), ("raised", 302)]
    assert (tmp_path / "crash-10.jpg").read_bytes() == b"10"
    assert total.verdicts["looked at"] == 1000 - 4


def test_growth_is_found(tmp_path: Path) -> None:
    total = Run(Numbers(), tmp_path, Growing).over(range(8_000), 1)
    assert [finding.kind for finding in total.findings] == ["growth"]


def test_a_run_that_cannot_work_ends(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="exit code 3"):
        Run(Numbers(), tmp_path, Unable).over(range(10), 1)
