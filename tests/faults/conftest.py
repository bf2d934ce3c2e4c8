"""What the fault tests share: the time to recover, measured and never asserted."""

import time
from collections.abc import Callable
from typing import Any

import pytest

Recovered = Callable[[], None]
Recovery = Callable[[str], Recovered]


@pytest.fixture
def recovery(record_property: Callable[[str, Any], None]) -> Recovery:
    """Notes how long the daemon took to be whole again after a fault had ended.

        recovered = recovery("the model server refused connections for 10 s")  # as the fault ends
        ...wait until it is whole again...
        recovered()

    The seconds go with the fault's name into the test's properties (`--junitxml`), from where
    `python -m verification.faults.outages` makes the table of docs/reliability.md.
    """

    def ended(fault: str) -> Recovered:
        started = time.monotonic()

        def recovered() -> None:
            record_property("recovery", f"{time.monotonic() - started:.2f} s: {fault}")

        return recovered

    return ended
