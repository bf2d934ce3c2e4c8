"""The table of outages: runs their tests and prints how long the daemon took to be whole after each.

    python -m verification.faults.outages

What a test asserts is in `tests/faults`; how fast this machine was is only told.
"""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

TESTS = "tests/faults"
NAMED = "outages"


def main() -> int:
    """Returns pytest's exit code."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.xml")
        tests = [sys.executable, "-m", "pytest", TESTS, "-q", "-k", NAMED, f"--junitxml={report}"]
        code = subprocess.run(tests, check=False).returncode
        print("\n| fault | whole again after |\n| --- | --- |")
        for fault, took in recoveries(report):
            print(f"| {fault} | {took} |")
    return code


def recoveries(report: Path) -> Iterator[tuple[str, str]]:
    """What the fixture `recovery` noted: the fault and the time, in the order of the tests."""
    for noted in ElementTree.parse(report).iter("property"):
        if noted.get("name") == "recovery":
            took, _, fault = noted.get("value", "").partition(": ")
            yield fault, took


if __name__ == "__main__":
    sys.exit(main())
