"""The API does what /openapi.json says: no 5xx, only described answers, whatever is sent."""

import schemathesis
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from tests.unit.http.fakes import World, jpeg
import collections

SEEN = collections.Counter()
world = World()
schemathesis.openapi.media_type(
    "image/jpeg",
    st.builds(jpeg, st.tuples(st.integers(1, 64), st.integers(1, 64)), st.sampled_from(["red", "black"])),
)
schema = schemathesis.openapi.from_asgi("/openapi.json", world.app)


@schema.parametrize()
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
def test_every_answer_is_as_described(case):
    r = case.call_and_validate()
    SEEN[case.operation.label, str(case.media_type), str(case.body)[:60], str(case.query), r.status_code] += 1
    assert not world.inlet.credits


def test_seen():
    for k, v in SEEN.items():
        print(k, v)
