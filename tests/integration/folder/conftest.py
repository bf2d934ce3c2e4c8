from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from classifyd.sources.folder.inbox import Inbox
from classifyd.telemetry import Event, folder
from tests.integration.folder.world import World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    world.inbox.mkdir()
    yield world
    world.stop()
    assert world.errors == []


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[Event]:
    """The events that the folder source emits."""
    heard: list[Event] = []
    monkeypatch.setattr(folder, "emit", heard.append)
    return heard


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[Inbox]:
    """The inboxes that are opened, the present one last."""
    seen: list[Inbox] = []
    real = Inbox.open

    def remember(*args: Any, **kwargs: Any) -> Inbox:
        inbox = real(*args, **kwargs)
        seen.append(inbox)
        return inbox

    monkeypatch.setattr(Inbox, "open", remember)
    return seen
