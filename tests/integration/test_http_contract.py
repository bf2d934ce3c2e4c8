"""The API does what /openapi.json says: no 5xx, only described answers, whatever is sent."""

from dataclasses import replace

import schemathesis
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from ulid import ULID

from classifyd.core.values import Delivery, Image, Origin, Reason, Rejected, Source
from classifyd.http import HttpConfig
from tests.unit.http.fakes import NOW, PREDICTION, World, jpeg, recorded

REJECTED = Rejected(Reason.TRUNCATED, "Cut off.")
KAFKA = Image(Origin(Source.KAFKA, "kafka:c/t/1/0/7", "k", None, "t", 0, 7), b"", "0" * 64, 9, 8, 8, NOW)
RESULTS = [
    replace(recorded(Delivery(KAFKA, print), outcome), id=str(ULID.from_timestamp(1e9 + number)))
    for number, outcome in enumerate([PREDICTION, REJECTED, PREDICTION])
]
SIDES = st.integers(1, 64)

world = World(HttpConfig(host="0.0.0.0"), results=RESULTS)
schemathesis.openapi.media_type("image/jpeg", st.builds(jpeg, st.tuples(SIDES, SIDES)))
schema = schemathesis.openapi.from_asgi("/openapi.json", world.app)


@schema.parametrize()
@settings(max_examples=50, suppress_health_check=list(HealthCheck))
def test_every_answer_is_as_described(case):
    case.call_and_validate()
    assert world.inlet.all_released()
