"""Model cards: what they may say, and what is said of a wrong one."""

import textwrap
from pathlib import Path

import pytest

from classifyd.core.errors import ConfigurationError
from classifyd.engines import card
from classifyd.engines.card import Preprocessing, read_card

EXACT = "[preprocessing]\nresize = [32, 32]\n"
SHORTEST = 'name = "m"\ntitle = "M"\nlicence = "CC0-1.0"\nsource = "a test"\n'


def written(folder: Path, text: str) -> Path:
    (folder / "model.toml").write_text(text)
    return folder


def test_the_documented_card_is_a_valid_card(tmp_path: Path) -> None:
    example = (card.__doc__ or "").split("\n\n", 1)[1].rsplit("\nA folder for", 1)[0]
    text = textwrap.dedent(example).replace("0123…", "0" * 64).replace("crop = 224", "# crop")
    read = read_card(written(tmp_path, text))
    assert read.name == "resnet_cifar10"
    assert read.accuracy["top1"] == 0.90
    assert read.preprocessing is not None
    assert read.preprocessing.size == (32, 32)
    assert read.preprocessing.reduction is not None


def test_defaults_stand_for_what_a_card_leaves_out(tmp_path: Path) -> None:
    read = read_card(written(tmp_path, SHORTEST))
    assert (read.version, read.model, read.labels, read.output) == (
        "1",
        "model.onnx",
        "labels.txt",
        "probabilities",
    )
    assert read.preprocessing is None
    assert Preprocessing(resize=(8, 8)).reduction is None  # no model is shown less than its card allows


def test_the_crop_is_what_the_model_sees() -> None:
    assert Preprocessing(resize=256, crop=224).size == (224, 224)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (SHORTEST.replace('title = "M"\n', ""), "title: Field required"),
        (SHORTEST + "colour = 1\n", "colour: Extra inputs"),
        (SHORTEST + 'task = "detection"\n', "task: "),
        (SHORTEST + 'model = "../model.onnx"\n', "model: "),
        (SHORTEST + "[preprocessing]\nresize = 256\n", "preprocessing: resize = N keeps the aspect"),
        (SHORTEST + "[preprocessing]\nresize = 32\ncrop = 64\n", "preprocessing: crop = 64 is larger"),
        (SHORTEST + "[preprocessing]\nresize = [32, 16]\ncrop = 32\n", "preprocessing: crop = 32 is larger"),
        (SHORTEST + "[preprocessing]\nresize = [32, 32]\nstd = [1.0, 0.0, 1.0]\n", "std must not be 0"),
        (SHORTEST + "[preprocessing]\nresize = [32, 32]\nmean = [nan, 0.0, 0.0]\n", "preprocessing.mean.0: "),
        (
            SHORTEST + f"{EXACT}[preprocessing.reduction]\nat_least = 2\ntolerance = 9\n",
            "mean_tolerance: Field",
        ),
        (SHORTEST + f"{EXACT}[preprocessing.reduction]\nat_least = 0.5\n", "reduction.at_least: "),
        (SHORTEST + '[checksums]\n"model.onnx" = "beef"\n', "checksums.model.onnx: "),
        ("name = ", "not valid TOML"),
    ],
)
def test_a_wrong_card_is_told_by_file_and_key(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        read_card(written(tmp_path, text))
    assert str(raised.value).startswith(f"{tmp_path / 'model.toml'}: ")
    assert told in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_folder_without_a_card_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"No such file.*a model's folder holds"):
        read_card(tmp_path)
