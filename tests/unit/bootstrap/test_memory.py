import os
import subprocess
import sys

import pytest

from classifyd.bootstrap.memory import keep_little

MIB = 2**20
BACKLOGS = """
from classifyd.bootstrap.memory import keep_little

def resident():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmRSS"))

{prepare}
before, kept = resident(), []
for _ in range(3):
    backlog = []
    for number in range(300):
        backlog.append(bytearray(400_000))
        kept.append(bytes(2000))
    del backlog
print(resident() - before)
"""


def growth(prepare: str) -> int:
    """Bytes by which a process of its own is larger after three backlogs of 120 MB, of which 2 MB stay."""
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
def test_what_a_backlog_took_goes_back_to_the_system():
    left_alone = growth("")
    if left_alone < 50 * MIB:
        pytest.skip("this C library keeps little by itself")
    assert growth("assert keep_little({})") < 20 * MIB


@pytest.mark.parametrize("name", ["MALLOC_ARENA_MAX", "GLIBC_TUNABLES"])
def test_who_tunes_malloc_by_the_environment_is_left_alone(name):
    assert not keep_little({name: "4"})
