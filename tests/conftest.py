"""What all tests share: the real broker, and properties that are never judged by the clock."""

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from verification.kit.broker import Broker, BrokerMissing, temporary_broker

# A machine with other work to do is slow, and no property is false for that.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


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
