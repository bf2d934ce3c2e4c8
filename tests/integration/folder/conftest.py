from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.folder.world import World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    world.inbox.mkdir()
    yield world
    world.stop()
    assert world.errors == []
