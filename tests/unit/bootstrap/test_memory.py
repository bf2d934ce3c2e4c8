import os
import subprocess
import sys

import pytest

from classifyd.bootstrap.memory import keep_little

MIB = 2**20
BACKLOGS = """
import threading
from classifyd.bootstrap.memory import keep_little

def resident():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmRSS"))

{prepare}
large = bytearray(30_000_000)
del large
before, together = resident(), threading.Barrier(8)

def work_off():
    backlog = [bytearray(100_000) for _ in range(300)]
    together.wait()
    del backlog
    together.wait()

threads = [threading.Thread(target=work_off) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(resident() - before)
"""


def growth(prepare: str) -> int:
    """Bytes by which a process of its own is larger after eight threads have worked off 30 MB each."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    child = subprocess.run(
        [sys.executable, "-c", BACKLOGS.format(prepare=prepare)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return int(child.stdout)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="resident memory is read from /proc")
def test_what_a_backlog_took_is_not_kept_by_each_thread():
    left_alone = growth("")
    if left_alone < 150 * MIB:
        pytest.skip("this C library keeps little by itself")
    assert growth("assert keep_little({})") < 0.75 * left_alone


@pytest.mark.parametrize("name", ["MALLOC_ARENA_MAX", "GLIBC_TUNABLES"])
def test_who_tunes_malloc_by_the_environment_is_left_alone(name):
    assert not keep_little({name: "4"})
