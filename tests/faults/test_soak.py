"""A soak in its short form, and what it says of growth."""

import signal
import subprocess
import sys
from dataclasses import replace
from math import isnan

import pytest

from verification.faults.soak.growth import LONGEST_WAL, Latencies, growth
from verification.faults.soak.vitals import Vitals

BOUND = 1200.0
RETENTION = 30.0
SOUND = Vitals(
    rss=200_000_000,
    fds=32,
    connections=8,
    threads=20,
    wal=8_000_000,
    pending=0,
    kept=9,
    oldest=31.0,
    rows=99,
)


@pytest.mark.kafka
@pytest.mark.timeout(BOUND + 60)
def test_under_load_nothing_is_lost_and_nothing_grows(broker, tmp_path):
    """`broker` skips where there can be none; the one used here is nobody else's."""
    # How fast it is depends on who else uses the machine: told, but not asserted.
    options = ["--minutes", "3", "--latency-ratio", "inf", "--folder", tmp_path]
    command = [sys.executable, "-m", "verification.faults.soak", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as soak:
        try:
            told, _ = soak.communicate(timeout=BOUND)
        except BaseException:
            soak.send_signal(signal.SIGINT)  # it ends what it has started
            raise
    assert soak.returncode == 0, told[-12000:]
    assert "\n0 violations" in told


def test_what_stays_as_it_was_has_not_grown():
    later = replace(SOUND, rss=219_000_000, rows=9_999, fds=35, connections=11)
    assert growth(SOUND, later, [SOUND], RETENTION) == []


@pytest.mark.parametrize(
    ("after", "told"),
    [
        (replace(SOUND, rss=221_000_000), "memory grew"),
        (replace(SOUND, fds=33), "file descriptors"),
        (replace(SOUND, fds=36, connections=12), "connections"),
        (replace(SOUND, threads=21), "threads"),
        (replace(SOUND, pending=1), "wait in the outbox"),
    ],
)
def test_what_grew_is_told(after, told):
    (sentence,) = growth(SOUND, after, [SOUND], RETENTION)
    assert told in sentence


@pytest.mark.parametrize(
    ("between", "told"),
    [
        (replace(SOUND, wal=LONGEST_WAL + 1), "write-ahead log"),
        (replace(SOUND, oldest=100.0), "was in the outbox for"),
    ],
)
def test_what_grew_in_between_is_told(between, told):
    (sentence,) = growth(SOUND, SOUND, [SOUND, between, SOUND], RETENTION)
    assert told in sentence


def test_latencies_that_grew_are_told():
    first, grown = [0.1, 0.1, 0.9], [0.5, 0.6, 0.7]
    assert Latencies("http", first, first).violation(3.0) is None
    assert "http" in str(Latencies("http", first, grown).violation(3.0))
    assert Latencies("http", first, grown).violation(float("inf")) is None


def test_where_an_outage_covers_a_quarter_its_latencies_are_unknown():
    unknown = Latencies("http", [0.1], [])
    assert isnan(unknown.ratio)
    assert unknown.violation(3.0) is None
