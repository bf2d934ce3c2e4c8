from datetime import timedelta

import structlog

from classifyd.core.grouping import NAMED_A_MINUTE
from classifyd.core.values import Reason, Rejected, Result
from classifyd.pipeline.tally import Tally
from tests.unit.pipeline.fakes import NOW, PREDICTION, image


def result(outcome) -> Result:
    picture = image()
    return Result(
        "id", picture.origin, outcome, "resnet", picture.sha256, 100, 8, 8, NOW, NOW + timedelta(seconds=1)
    )


def test_new_outcomes_are_counted_and_known_ones_are_not():
    tally = Tally()
    tally.count(result(PREDICTION), new=True)
    tally.count(result(PREDICTION), new=False)
    tally.count(result(Rejected(Reason.EMPTY, "it is empty")), new=True)
    assert (tally.done, tally.rejected) == (1, 1)
    assert tally.settled == 3


def test_a_flood_of_rejections_is_named_up_to_a_limit_and_then_grouped():
    tally = Tally()
    with structlog.testing.capture_logs() as lines:
        for _ in range(NAMED_A_MINUTE + 5):
            tally.count(result(Rejected(Reason.EMPTY, "it is empty")), new=True)
        tally.close_minute()
    named = [line for line in lines if line["event"] == "picture rejected"]
    assert len(named) == NAMED_A_MINUTE
    assert lines[-1]["reason"] == "empty"
    assert lines[-1]["count"] == 5
    assert tally.rejected == NAMED_A_MINUTE + 5
