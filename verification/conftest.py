"""The daemon that the black-box tests ask: at `CLASSIFYD_URL`, or one that is started for them.

`CLASSIFYD_HTTP__API_KEY` is shown where it is set. Faults and benchmarks are run by their own commands.
"""

import os
from collections.abc import Iterator

import pytest

from verification.kit.client import Daemon
from verification.kit.daemon import DaemonProcess

collect_ignore = ["faults", "bench"]


@pytest.fixture(scope="session")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    if url := os.environ.get("CLASSIFYD_URL"):
        with Daemon(url, os.environ.get("CLASSIFYD_HTTP__API_KEY")) as daemon:
            daemon.wait_until_ready()
            yield daemon
    else:
        with DaemonProcess(tmp_path_factory.mktemp("daemon")) as process, Daemon(process.url) as daemon:
            yield daemon
            assert process.stop() == 0, process.tail()
