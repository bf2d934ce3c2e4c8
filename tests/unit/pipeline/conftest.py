import logging

import pytest


@pytest.fixture(autouse=True)
def all_levels(caplog):
    """Lets events of every level be emitted, as `structlog.testing.capture_logs` must see them."""
    caplog.set_level(logging.DEBUG)
