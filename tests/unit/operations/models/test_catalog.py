import hashlib
import subprocess
import tomllib
from pathlib import Path

import pytest

from classifyd.core.errors import ConfigurationError
from classifyd.engines.bundled import bundled_model
from classifyd.engines.card import ModelCard
from classifyd.operations.models.catalog import Catalog, ModelFile

ENTRY = """
[small]
engine = "onnx"
title = "Small"
card = ""
[[small.downloads]]
urls = ["https://example.org/a/model.onnx?x=1"]
[[small.downloads.files]]
path = "model.onnx"
size = 4
sha256 = "{sha256}"
"""


@pytest.fixture
def shipped():
    return Catalog.read(bundled_model("resnet_cifar10").parent / "catalog.toml")


@pytest.fixture
def read(tmp_path):
    def read(text):
        path = tmp_path / "catalog.toml"
        path.write_text(text)
        return Catalog.read(path)

    return read


def test_the_shipped_catalog_has_the_official_model_for_each_engine(shipped):
    assert {(entry.name, entry.engine) for entry in shipped.entries} == {
        ("resnet50_v2", "onnx"),
        ("resnet50_v2_tfserving", "tfserving"),
    }


def test_every_shipped_entry_has_labels_and_a_card_that_the_engines_take(shipped):
    for entry in shipped.entries:
        card = ModelCard.model_validate(tomllib.loads(entry.card))
        paths = {file.path for file in entry.files}
        assert card.name == entry.name
        assert card.labels in paths
        if entry.engine == "onnx":
            assert card.model in paths
            assert card.preprocessing is not None
        else:
            assert f"{card.version}/saved_model.pb" in paths


def test_the_embedded_model_has_no_background_class_and_the_served_one_has(shipped):
    without = {
        entry.engine: file.without
        for entry in shipped.entries
        for file in entry.files
        if file.path == "labels.txt"
    }
    assert without == {"onnx": "background\n", "tfserving": ""}


def test_an_unknown_name_is_answered_with_the_known_ones(shipped):
    with pytest.raises(ConfigurationError, match="no model 'vgg'; it has resnet50_v2, resnet50_v2_tfserving"):
        shipped.entry("vgg")


def test_a_download_is_named_and_measured(read):
    entry = read(ENTRY.format(sha256="0" * 64)).entry("small")
    assert entry.downloads[0].name == "model.onnx"
    assert entry.size == 4


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('"onnx"', '"caffe"', "engine"),
        ("size = 4", "size = 4\nmode = 644", "mode"),
        ("size = 4", "size = 0", "size"),
        ('"model.onnx"', '"../model.onnx"', "does not lie inside"),
        ('"model.onnx"', '"/model.onnx"', "does not lie inside"),
        ('"model.onnx"', '""', "does not lie inside"),
        ('sha256 = "', 'git_sha1 = "', "git_sha1"),
        ("size = 4", f'size = 4\ngit_sha1 = "{"0" * 40}"', "either sha256 or git_sha1"),
        ("[[small.downloads.files]]", "[[small.downloads.files]]\n[[small.downloads.files]]", "path"),
        ("[small]", "[small", "catalog.toml"),
        ("[small]", "other = 3\n[small]", "catalog.toml"),
    ],
)
def test_a_mistake_in_the_catalog_is_located(read, old, new, told):
    with pytest.raises(ConfigurationError, match=told):
        read(ENTRY.format(sha256="0" * 64).replace(old, new, 1))


def test_several_files_need_an_archive(read):
    file = '\n[[small.downloads.files]]\npath = "b"\nsize = 1\nsha256 = "' + "0" * 64 + '"\n'
    with pytest.raises(ConfigurationError, match="no archive holds one file"):
        read(ENTRY.format(sha256="0" * 64) + file)


def test_a_catalog_that_is_not_there_is_told(tmp_path):
    with pytest.raises(ConfigurationError, match="cannot be read"):
        Catalog.read(tmp_path / "catalog.toml")


@pytest.fixture
def original(tmp_path):
    path = tmp_path / "labels.txt"
    path.write_bytes(b"background\ntench\n")
    return path


def test_a_file_with_the_right_sha256_has_no_fault(original):
    digest = hashlib.sha256(original.read_bytes()).hexdigest()
    assert ModelFile(path="labels.txt", size=17, sha256=digest).fault(original.parent) is None


def test_a_file_with_the_id_that_git_gives_it_has_no_fault(original):
    answer = subprocess.run(["git", "hash-object", original], capture_output=True, text=True, check=True)
    file = ModelFile(path="labels.txt", size=17, git_sha1=answer.stdout.strip())
    assert file.fault(original.parent) is None


def test_a_file_without_its_first_line_is_checked_as_the_original(original):
    digest = hashlib.sha256(original.read_bytes()).hexdigest()
    original.write_bytes(b"tench\n")
    file = ModelFile(path="labels.txt", size=17, sha256=digest, without="background\n")
    assert file.fault(original.parent) is None


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"background\ntench!", "checksum"),
        (b"background\n", "11 bytes instead of 17"),
        (None, "No such file"),
    ],
)
def test_the_fault_of_a_file_is_told(original, content, told):
    digest = hashlib.sha256(original.read_bytes()).hexdigest()
    original.unlink()
    if content is not None:
        Path(original).write_bytes(content)
    fault = ModelFile(path="labels.txt", size=17, sha256=digest).fault(original.parent)
    assert fault is not None
    assert fault.startswith("labels.txt: ")
    assert told in fault
