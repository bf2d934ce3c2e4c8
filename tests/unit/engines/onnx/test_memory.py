"""The decoder's memory: what a picture takes at most, and what is said of it where there is less."""

import subprocess
import sys

import pytest

from verification.kit.pictures import jpeg

SIDE = 2000
PIXELS = SIDE * SIDE

# Decodes a picture of standard input with so many bytes of memory more than are held by then.
DECODE = """
import resource, sys
from classifyd.engines.card import Preprocessing
from classifyd.engines.onnx.budget import PixelBudget
from classifyd.engines.onnx.pixels import Pixelator

data, more = sys.stdin.buffer.read(), int(sys.argv[1])
pixelator = Pixelator(Preprocessing(resize=(8, 8)), PixelBudget(10**8))
with open("/proc/self/statm") as statm:
    held = int(statm.read().split()[5]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_DATA, (held + more, resource.RLIM_INFINITY))
print(type(pixelator.decode(data)).__name__)
"""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux bounds memory by RLIMIT_DATA")


@pytest.fixture(scope="module")
def demanding() -> bytes:
    """Nothing takes more: four components, and all of their coefficients are kept between scans."""
    return jpeg("red", (SIDE, SIDE), "CMYK", progressive=True, subsampling=0)


def decoded_with(data: bytes, bytes_a_pixel: float) -> str:
    more = str(int(bytes_a_pixel * PIXELS))
    ended = subprocess.run(
        [sys.executable, "-c", DECODE, more], input=data, capture_output=True, timeout=60, check=False
    )
    assert ended.returncode == 0, ended.stderr.decode()
    return ended.stdout.decode().strip()


def test_no_picture_takes_more_than_twelve_bytes_a_pixel(demanding: bytes) -> None:
    assert decoded_with(demanding, 12.5) == "ndarray"


@pytest.mark.parametrize("bytes_a_pixel", [1, 5, 9], ids=["for no pixels", "for no coefficients", "for some"])
def test_a_picture_is_not_rejected_for_want_of_memory(demanding: bytes, bytes_a_pixel: int) -> None:
    assert decoded_with(demanding, bytes_a_pixel) == "Failed"


def test_a_broken_picture_is_rejected_where_memory_suffices(demanding: bytes) -> None:
    assert decoded_with(demanding[: len(demanding) // 2], 20.5) == "Rejected"
