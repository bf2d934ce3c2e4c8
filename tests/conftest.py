"""What the tests share that need a real broker."""

import os
from collections.abc import Iterator

import pytest

from verification.kit.broker import Broker, BrokerMissing, temporary_broker


@pytest.fixture(scope="session")
def broker() -> Iterator[Broker]:
    """One real Kafka broker for the whole session, plain and over SASL_SSL.

    Where none can be had its tests are skipped with the reason; with CI=true they fail.
    """
    try:
        with temporary_broker(secured=True, settings={"message.max.bytes": str(2 * 2**20)}) as running:
            yield running
    except BrokerMissing as missing:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(str(missing))
