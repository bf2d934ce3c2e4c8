"""Which stage a stack belongs to, and how a thread's time is divided."""

import re
from pathlib import Path

import pytest

import classifyd
from verification.bench.sampling import Sample, read_sample
from verification.bench.stages import OTHER, STAGES, stage_of, stages

PACKAGES = Path(classifyd.__file__).parents[1]
WORKER = ("Model._work (classifyd/pipeline/model.py)", "_request (classifyd/engines/tfserving/rest.py)")


@pytest.mark.parametrize(
    ("frames", "stage"),
    [
        (WORKER[:1], "trial"),
        (WORKER, "encode"),
        ((*WORKER, "_request.<locals>.<genexpr> (classifyd/engines/tfserving/rest.py)"), "encode"),
        ((*WORKER, "b64encode (base64.py)"), "encode"),
        (("Taker.take (classifyd/sources/folder/taking.py)", "examine (classifyd/core/images.py)"), "hash"),
        (("FolderSource.run (classifyd/sources/folder/source.py)", "wait (threading.py)"), "offer"),
        (("Thread.run (threading.py)", "Server.run (uvicorn/server.py)"), OTHER),
        (("<module> (string)",), OTHER),
    ],
)
def test_the_innermost_call_that_is_known_decides(frames, stage):
    assert stage_of(frames) == stage


@pytest.mark.parametrize(
    "place", [place for places in STAGES.values() for place in places if place.startswith("classifyd/")]
)
def test_the_places_of_the_stages_are_there(place):
    file, _, function = place.partition(":")
    path = PACKAGES / file
    assert path.exists()
    assert not function or re.search(rf"def {function}\b", path.read_text())


def test_a_thread_s_time_is_divided_by_what_it_was_seen_at():
    samples = [
        Sample(1, WORKER, 3),
        Sample(1, WORKER[:1], 1),
        Sample(2, WORKER[:1], 5),
        Sample(3, WORKER, 2),  # it has ended meanwhile: nobody knows its time
    ]
    assert stages(samples, {1: 40.0, 2: 7.0}) == {"encode": 30.0, "trial": 17.0}


def test_a_line_of_py_spy_is_read():
    line = "thread (4151): folder-watch kernel;Thread.run (threading.py);wait (a b.py) 55"
    assert read_sample(line) == Sample(4151, ("Thread.run (threading.py)", "wait (a b.py)"), 55)
