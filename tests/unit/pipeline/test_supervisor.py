import threading
import time

from classifyd.pipeline.loop import Loop
from classifyd.pipeline.supervisor import Supervisor
from tests.unit.pipeline.fakes import BOUND


def waiting(name: str) -> tuple[Loop, threading.Event]:
    stopped = threading.Event()
    return Loop(name, lambda: assert_true(stopped.wait(BOUND)), stopped.set), stopped


def assert_true(value: bool) -> None:
    assert value


def test_services_run_in_threads_of_their_names_until_they_are_stopped():
    names = []
    supervisor = Supervisor()
    quick = Loop("quick", lambda: names.append(threading.current_thread().name), lambda: None)
    slow, stopped = waiting("slow")
    supervisor.start([quick, slow])
    assert supervisor.join([quick], time.monotonic() + BOUND)
    assert names == ["quick"]
    assert not supervisor.join([slow], time.monotonic())
    slow.stop()
    assert stopped.is_set()
    assert supervisor.join([slow], time.monotonic() + BOUND)


def test_a_service_that_raises_ends_the_wait_with_its_reason():
    def fail() -> None:
        raise OSError("the disk is gone")

    supervisor = Supervisor()
    supervisor.start([Loop("mover", fail, lambda: None)])
    assert supervisor.wait([], BOUND)
    assert supervisor.death.service == "mover"
    assert str(supervisor.death.error) == "the disk is gone"


def test_the_wait_ends_when_all_awaited_services_have_ended():
    supervisor = Supervisor()
    first, _ = waiting("first")
    second, _ = waiting("second")
    supervisor.start([first, second])
    first.stop()
    supervisor.join([first], time.monotonic() + BOUND)
    assert not supervisor.wait(["first", "second"], 0.0)
    second.stop()
    assert supervisor.wait(["first", "second"], BOUND)
    assert supervisor.death is None


def test_the_wait_ends_when_the_end_is_asked_for():
    supervisor = Supervisor()
    assert not supervisor.wait([], 0.0)
    supervisor.ask("SIGTERM")
    supervisor.ask("SIGINT")
    assert supervisor.wait([], BOUND)
    assert supervisor.asked == "SIGTERM"


def test_a_service_that_was_never_started_counts_as_ended():
    loop, _ = waiting("never")
    assert Supervisor().join([loop], time.monotonic())
