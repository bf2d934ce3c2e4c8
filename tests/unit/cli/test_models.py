import hashlib
import json

import pytest
from typer.testing import CliRunner

from classifyd.cli import models
from classifyd.core.errors import ConfigurationError
from classifyd.operations.models.catalog import Catalog, CatalogError, Entry
from tests.unit.rights import forbid

CONTENT = b"a model"


@pytest.fixture
def entry(monkeypatch):
    """The one model of the catalog, which can only be brought along."""
    file = {"path": "model.onnx", "size": len(CONTENT), "sha256": hashlib.sha256(CONTENT).hexdigest()}
    entry = Entry.model_validate(
        {
            "name": "small",
            "engine": "onnx",
            "title": "Small model",
            "card": "",
            "downloads": [{"urls": ["nowhere://model.onnx"], "files": [file]}],
        }
    )
    monkeypatch.setattr(models, "_catalog", lambda: Catalog((entry,)))
    return entry


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        return CliRunner().invoke(models.app, [str(argument) for argument in arguments])

    return run


@pytest.fixture
def brought(tmp_path):
    path = tmp_path / "brought.onnx"
    path.write_bytes(CONTENT)
    return path


def test_the_shipped_catalog_is_listed(run):
    shown = run("list")
    assert shown.exit_code == 0
    assert "resnet50_v2 " in shown.output
    assert "resnet50_v2_tfserving" in shown.output


def test_a_model_lands_in_the_data_folder_and_how_to_use_it_is_shown(run, entry, brought, tmp_path):
    shown = run("pull", "small", "--from", brought)
    folder = tmp_path / "data" / "models" / "small"
    assert (folder / "model.onnx").read_bytes() == CONTENT
    assert "[models.resnet]" in shown.output
    assert f"path = {json.dumps(str(folder))}" in shown.output


def test_what_was_pulled_is_listed_so(run, entry, brought):
    assert run("list").output.split()[-1] == "no"
    run("pull", "small", "--from", brought)
    assert run("list").output.split()[-1] == "yes"


def test_a_model_lands_where_it_is_wanted(run, entry, brought, tmp_path):
    run("pull", "small", "--from", brought, "--into", tmp_path / "elsewhere")
    assert (tmp_path / "elsewhere/small/model.onnx").exists()


def test_a_served_model_is_used_by_its_address_and_its_labels(run, entry, brought, monkeypatch, tmp_path):
    served = entry.model_copy(update={"engine": "tfserving"})
    monkeypatch.setattr(models, "_catalog", lambda: Catalog((served,)))
    shown = run("pull", "small", "--from", brought).output
    assert 'url = "http://localhost:8501"' in shown
    assert "small/labels.txt" in shown


def test_a_model_that_cannot_be_fetched_is_told(run, entry):
    shown = run("pull", "small")
    assert isinstance(shown.exception, CatalogError)
    assert "nowhere://model.onnx" in str(shown.exception)


def test_an_unknown_name_is_a_mistake_of_the_user(run, entry):
    assert isinstance(run("pull", "large").exception, ConfigurationError)


def test_a_good_model_is_verified(run, entry, brought):
    run("pull", "small", "--from", brought)
    shown = run("verify", "small")
    assert shown.exit_code == 0
    assert "as the catalog says" in shown.output


def test_a_damaged_model_is_not(run, entry, brought, tmp_path):
    run("pull", "small", "--from", brought)
    (tmp_path / "data/models/small/model.onnx").write_bytes(b"a modem")
    shown = run("verify", "small")
    assert isinstance(shown.exception, CatalogError)
    assert "model.onnx: checksum" in str(shown.exception)


def test_a_model_that_was_never_pulled_is_told_with_the_remedy(run, entry):
    assert "classifyd models pull small" in str(run("verify", "small").exception)


def test_names_are_completed(entry):
    assert models._names("sm") == ["small"]
    assert models._names("x") == []


@pytest.mark.parametrize("command", [["list"], ["pull", "small"], ["verify", "small"]])
def test_a_folder_of_models_that_may_not_be_entered_is_told(run, entry, tmp_path, monkeypatch, command):
    forbid(monkeypatch, tmp_path / "private")
    shown = run(*command, "--into", tmp_path / "private")
    assert isinstance(shown.exception, ConfigurationError)
    assert "private/small cannot be looked at (Permission denied)" in str(shown.exception)


def test_a_brought_file_in_a_folder_that_may_not_be_entered_is_told(run, entry, tmp_path, monkeypatch):
    forbid(monkeypatch, tmp_path / "private")
    shown = run("pull", "small", "--from", tmp_path / "private/brought.onnx")
    assert isinstance(shown.exception, ConfigurationError)
    assert "private/brought.onnx cannot be looked at (Permission denied)" in str(shown.exception)
