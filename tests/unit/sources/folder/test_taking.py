from datetime import UTC, datetime

import pytest

from classifyd.core.gate import Limits
from classifyd.core.images import examine
from classifyd.sources.folder.files import UNKNOWN, Fingerprint
from classifyd.sources.folder.taking import Taker


@pytest.mark.parametrize(
    ("seen", "held"),
    [
        (Fingerprint(100, 1, 1), 100),
        (Fingerprint(101, 1, 1), 0),
        (UNKNOWN, 0),  # less would be taken from the credits of others
    ],
    ids=["usual", "too-large", "unknown"],
)
def test_credit_is_asked_for_the_bytes_that_will_be_held(seen: Fingerprint, held: int) -> None:
    taker = Taker(Limits(max_bytes=100), examine, lambda: datetime.now(UTC))
    assert taker.credit(seen) == held
