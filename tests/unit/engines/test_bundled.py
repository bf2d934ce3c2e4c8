"""Where bundled models are found."""

from pathlib import Path

import pytest

from classifyd.core.errors import ConfigurationError
from classifyd.engines import bundled


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    package = tmp_path / "daemon" / "classifyd"
    monkeypatch.setattr(bundled, "_PACKAGE", package)
    return package


def made(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "model.toml").touch()
    return folder


def test_a_checkout_has_it_beside_the_daemon(package: Path, tmp_path: Path) -> None:
    folder = made(tmp_path / "models" / "m")
    assert bundled.bundled_model("m") == folder


def test_an_installed_package_carries_it_inside(package: Path, tmp_path: Path) -> None:
    made(tmp_path / "models" / "m")
    folder = made(package / "bundled" / "m")
    assert bundled.bundled_model("m") == folder


def test_an_unknown_name_is_a_mistake_of_the_user(package: Path) -> None:
    with pytest.raises(ConfigurationError, match="no model named 'm'"):
        bundled.bundled_model("m")
