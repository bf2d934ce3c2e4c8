"""How many cores the embedded engine counts on: those of the process, less what its control groups forbid."""

import os
from collections.abc import Collection
from pathlib import Path

import pytest

from classifyd.engines.onnx import cores


@pytest.fixture(autouse=True)
def sixteen(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine of 16 cores, all of them for this process."""
    allow(monkeypatch, range(16))


def allow(monkeypatch: pytest.MonkeyPatch, allowed: Collection[int]) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: set(allowed), raising=False)


def usable(folder: Path, group: str, **limits: str) -> int:
    """What is found where /proc says `group` and these control groups (`_` for the uppermost) have these
    limits."""
    own = folder / "cgroup"
    own.write_text(f"4:memory:/elsewhere\n{group}\n")
    for name, limit in limits.items():
        place = folder / "groups" / name.strip("_").replace("_", "/")
        place.mkdir(parents=True, exist_ok=True)
        (place / "cpu.max").write_text(f"{limit}\n")
    return cores.usable_cores(own, folder / "groups")


def test_without_a_limit_they_are_those_that_the_process_may_run_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert usable(tmp_path, "0::/", _="max 100000") == 16
    allow(monkeypatch, [3, 5, 7])
    assert usable(tmp_path, "0::/", _="max 100000") == 3


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        ("200000 100000", 2),
        ("150000 100000", 2),
        ("5000 100000", 1),
        ("25000 10000", 3),
        ("6400000 100000", 16),
    ],
)
def test_a_limit_of_the_control_group_is_kept_and_rounded_up(
    tmp_path: Path, limit: str, expected: int
) -> None:
    assert usable(tmp_path, "0::/", _=limit) == expected


def test_the_limits_of_the_groups_above_hold_too(tmp_path: Path) -> None:
    limits = {"system": "400000 100000", "system_daemon": "max 100000", "other": "100000 100000"}
    assert usable(tmp_path, "0::/system/daemon", **limits) == 4


@pytest.mark.parametrize("limit", ["", "max", "1 0", "some 100000", "1 2 3"])
def test_what_is_no_limit_is_none(tmp_path: Path, limit: str) -> None:
    assert usable(tmp_path, "0::/", _=limit) == 16


def test_without_control_groups_of_version_two_there_is_none(tmp_path: Path) -> None:
    assert usable(tmp_path, "1:cpu:/", _="100000 100000") == 16
    assert cores.usable_cores(tmp_path / "no such file", tmp_path) == 16


def test_where_no_affinity_can_be_told_they_are_the_machines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert usable(tmp_path, "0::/") == 1
