"""A function as a service."""

from collections.abc import Callable


class Loop:
    """A `core.ports.Service` of a function that returns after `stop` was called."""

    def __init__(self, name: str, run: Callable[[], None], stop: Callable[[], None]) -> None:
        self._name = name
        self._run = run
        self._stop = stop

    @property
    def name(self) -> str:
        return self._name

    def run(self) -> None:
        self._run()

    def stop(self) -> None:
        self._stop()
