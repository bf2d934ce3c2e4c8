"""What is answered is kept, and a result and its messages are kept together, however the process ends."""

import subprocess
import sys
from pathlib import Path

from classifyd.core.values import Filter
from classifyd.store import Database
from tests.unit.store.samples import Clock

PROJECT = Path(__file__).parents[2]
WRITE = """
import itertools, sys
from classifyd.store import Database
from tests.unit.store.samples import Clock, message, result

database = Database.open(sys.argv[1], Clock())
for first in itertools.count(step=8):
    batch = [(result(str(n), number=n), (message(b"x" * 5000),)) for n in range(first, first + 8)]
    for written in database.store.write(batch, ()):
        print(written.id, flush=True)
"""


def test_a_killed_writer_leaves_every_answered_result_with_its_message(tmp_path):
    url = f"sqlite:///{tmp_path}/classifyd.db"
    with subprocess.Popen(
        [sys.executable, "-c", WRITE, url], cwd=PROJECT, stdout=subprocess.PIPE, text=True
    ) as writer:
        answered = [writer.stdout.readline().strip() for _ in range(203)]
        writer.kill()
        answered += writer.stdout.read().split()
    answered = [line for line in answered if len(line) == 26]

    database = Database.open(url, Clock())
    recorded = {one.id for one in database.results.page(Filter(), 10**6)}
    waiting = database.outbox.pending({}, (), 10**9)
    database.close()
    assert len(answered) >= 200
    assert set(answered) <= recorded
    assert len(recorded) % 8 == 0
    assert len(waiting) == len(recorded)
