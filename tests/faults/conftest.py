"""What the fault tests share: the time to recover, measured and never asserted; a broker that may be taken
away; the bundled model behind a stand-in for its server."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from classifyd.engines.bundled import bundled_model
from classifyd.engines.onnx import OnnxClassifier, OnnxConfig
from verification.kit.broker import Broker, temporary_broker
from verification.kit.serving import ServingStandIn

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


@pytest.fixture(scope="module")
def unsteady(broker: Broker) -> Iterator[Broker]:
    """A broker that a test may pause, stop and kill, and leaves running. (`broker` skips where there can be
    none.)"""
    with temporary_broker() as running:
        yield running


@pytest.fixture(scope="session")
def classifier() -> OnnxClassifier:
    """The bundled model, with all its classes."""
    return OnnxClassifier(OnnxConfig("resnet", bundled_model("resnet_cifar10"), top_k=10))


@pytest.fixture
def serving(classifier: OnnxClassifier) -> Iterator[ServingStandIn]:
    """A stand-in for TensorFlow Serving with the bundled model."""
    with ServingStandIn({"resnet": classifier}) as server:
        yield server
