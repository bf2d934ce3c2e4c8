import threading
from datetime import timedelta

import structlog
from prometheus_client import REGISTRY

from classifyd.core.batching import Batcher
from classifyd.core.credits import Credits
from classifyd.core.values import Lane, Progress
from classifyd.pipeline import housekeeping
from classifyd.pipeline.housekeeping import Housekeeping
from classifyd.pipeline.intake import Intake
from classifyd.pipeline.tally import Tally
from tests.unit.pipeline.fakes import BOUND, NOW, Settlements


def test_it_measures_prunes_and_sums_up_the_minute(tmp_path, monkeypatch):
    monkeypatch.setattr(housekeeping, "MEASURE_EVERY", 0.001)
    monkeypatch.setattr(housekeeping, "SUMMARY_EVERY", 0.001)
    monkeypatch.setattr(housekeeping, "PRUNE_EVERY", 0.001)
    intake = Intake("resnet", Batcher(8, 1000), {lane: Credits(8, 1000) for lane in Lane}, lambda d, r: None)
    intake.open()
    intake.inlet(Lane.BULK).offer(Settlements().delivery("a.jpg"))
    pruned, enough = [], threading.Event()

    def prune(before):
        pruned.append(before)
        if len(pruned) > 2:
            enough.set()

    service = Housekeeping(
        [intake],
        lambda: Progress(waiting=3, in_flight=1, done=5, rejected=2),
        Tally(),
        {"inbox": tmp_path, "gone": tmp_path / "gone"},
        prune,
        timedelta(days=1),
        lambda: NOW,
    )
    with structlog.testing.capture_logs() as lines:
        thread = threading.Thread(target=service.run)
        thread.start()
        assert enough.wait(BOUND)
        service.stop()
        thread.join(BOUND)
    assert not thread.is_alive()
    assert pruned[0] == NOW - timedelta(days=1)
    summaries = [line for line in lines if line["event"] == "the last minute"]
    assert (summaries[0]["done"], summaries[0]["rejected"], summaries[0]["waiting"]) == (5, 2, 3)
    assert (summaries[1]["done"], summaries[1]["in_flight"]) == (0, 1)
    assert REGISTRY.get_sample_value("classifyd_disk_free_bytes", {"folder": "inbox"}) > 0
    assert REGISTRY.get_sample_value("classifyd_disk_free_bytes", {"folder": "gone"}) is None
    assert REGISTRY.get_sample_value("classifyd_oldest_waiting_seconds") > 0
