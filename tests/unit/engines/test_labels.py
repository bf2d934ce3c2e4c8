"""Label files."""

from pathlib import Path

import pytest

from classifyd.core.errors import ConfigurationError
from classifyd.engines.labels import read_labels, require_fit


@pytest.mark.parametrize(
    "content", [b"cat\ndog\n", b"cat\ndog", b"\xef\xbb\xbfcat\r\ndog\r\n", b" cat \ndog\n\n"]
)
def test_each_line_is_a_label(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "labels.txt"
    path.write_bytes(content)
    assert read_labels(path) == ("cat", "dog")


@pytest.mark.parametrize(
    ("content", "told"),
    [(b"cat\n\ndog\n", "line 2 is empty"), (b"", "line 1 is empty"), (b"caf\xe9\n", "not UTF-8")],
)
def test_labels_that_could_shift_are_refused(tmp_path: Path, content: bytes, told: str) -> None:
    path = tmp_path / "labels.txt"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=told):
        read_labels(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"nowhere\.txt: cannot be read"):
        read_labels(tmp_path / "nowhere.txt")


def test_the_count_of_labels_must_be_the_models() -> None:
    require_fit("m", ("cat", "dog"), 2)
    with pytest.raises(ConfigurationError, match="model m: 3 outputs but 2 labels"):
        require_fit("m", ("cat", "dog"), 3)
