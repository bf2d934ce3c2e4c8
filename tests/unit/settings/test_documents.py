"""docs/settings.md, config/classifyd.toml and .env.example say what the settings are."""

import json
import re
import tomllib
from pathlib import Path

import pytest

from classifyd.core.errors import ConfigurationError
from classifyd.settings import load, to_toml
from classifyd.settings.keys import known
from classifyd.settings.models import OnnxModel, TfServingModel

ROOT = Path(__file__).parents[3]
FOLLOWS = {
    "inbox.model": "`default_model`",
    "kafka.input.model": "`default_model`",
    "kafka.input.dead_letter_topic": "`<topic>.dead-letter`",
    "models.NAME.url": "required",
    "models.NAME.name": "`NAME`",
}


@pytest.fixture
def table():
    """The rows of docs/settings.md: what it says of each key's default."""
    rows = re.findall(r"^\| `([\w.]+)` \| (.*?) \|", (ROOT / "docs/settings.md").read_text(), re.MULTILINE)
    assert len({key for key, _ in rows}) == len(rows)
    return dict(rows)


def shipped(commented):
    """The keys and values of config/classifyd.toml, with those that are commented out."""
    text = (ROOT / "config/classifyd.toml").read_text()
    return tomllib.loads(re.sub(r"^#(?=\[|\w+ = )", "", text, flags=re.MULTILINE) if commented else text)


def flat(values, prefix=""):
    found = {}
    for name, value in values.items():
        whole = f"{prefix}{name}"
        if isinstance(value, dict) and whole not in ("kafka.consumer", "kafka.producer"):
            found |= flat(value, f"{whole}.")
        else:
            found[whole] = value
    return found


def test_every_setting_is_documented_and_nothing_else(table):
    assert table.keys() == known().keys()


def test_the_documented_defaults_are_the_defaults(table, clean):
    written = {
        key: json.loads(text.strip("`"))
        for key, text in table.items()
        if key not in FOLLOWS and text != "not set" and not key.startswith("models.")
    }
    nested = {}
    for key, value in written.items():
        *tables, name = key.split(".")
        at = nested
        for part in tables:
            at = at.setdefault(part, {})
        at[name] = value
    assert load(None, nested) == load(None, {})
    unset = {key for key, text in table.items() if text == "not set"}
    assert all(known()[key].default is None for key in unset)
    assert all(known()[key].default is not None for key in written)
    for key, text in FOLLOWS.items():
        assert table[key] == text


@pytest.mark.parametrize("engine", [OnnxModel, TfServingModel])
def test_the_documented_defaults_of_models_are_the_defaults(table, engine):
    required = {"url": "http://a", "name": "NAME"} if engine is TfServingModel else {}
    documented = {
        name: json.loads(table[f"models.NAME.{name}"].strip("`"))
        for name in engine.model_fields
        if name not in ("engine", "url", "name") and table[f"models.NAME.{name}"] != "not set"
    }
    assert engine(**required, **documented) == engine(**required)


def test_the_shipped_file_changes_nothing(clean):
    assert load(ROOT / "config/classifyd.toml", {}) == load(None, {})


def test_the_shipped_file_holds_every_key():
    keys = {re.sub(r"^models\.\w+", "models.NAME", key) for key in flat(shipped(commented=True))}
    assert keys == known().keys()


def test_the_shipped_file_shows_the_defaults(table):
    for key, value in flat(shipped(commented=True)).items():
        general = re.sub(r"^models\.\w+", "models.NAME", key)
        if table[general] != "not set" and general not in FOLLOWS and key != "models.imagenet.engine":
            assert json.loads(table[general].strip("`")) == value, key


def test_every_variable_of_the_example_is_a_setting(monkeypatch):
    lines = re.findall(r"^#?(CLASSIFYD_\w+)=(.*)$", (ROOT / ".env.example").read_text(), re.MULTILINE)
    assert lines
    for name, value in lines:
        monkeypatch.setenv(name, value)
    settings = load(None, {})
    assert settings.models["resnet"].engine == "tfserving"
    assert settings.kafka.enabled


def test_what_is_shown_can_be_loaded_again(written):
    settings = load(
        None,
        {
            "models": {"resnet": {}, "other.one": {"url": "http://a"}},
            "kafka": {"consumer": {"check_crcs": False, "fetch_min_bytes": 5}},
            "inbox": {"include": ['a"b', "ü\n"], "settle_time": "1500ms"},
            "stop_timeout": "0.1234s",
        },
    )
    assert load(written(to_toml(settings)), {}) == settings


def test_secrets_are_masked_where_settings_are_shown():
    shown = to_toml(load(None, {"http": {"api_key": "s3cret"}}))
    assert "s3cret" not in shown
    assert 'api_key = "**********"' in shown


@pytest.mark.parametrize("user", ["", "me", "me@example.org"])
@pytest.mark.parametrize("password", ["s3cret", "s3@cret", "s3:cret", "s3 cret"])
def test_passwords_in_addresses_are_masked_where_settings_are_shown(user, password):
    address = f"http://{user}:{password}@host:8080/base"
    model = address.replace(" ", "%20")
    shown = to_toml(
        load(
            None,
            {
                "models": {"resnet": {"url": model, "proxy": model}},
                "kafka": {"consumer": {"proxy_url": address}, "producer": {"socks5_proxy": address}},
            },
        )
    )
    masked = f'"http://{user}:**********@host:8080/base"'
    for setting in ("url", "proxy", "consumer = { proxy_url", "producer = { socks5_proxy"):
        assert f"\n{setting} = {masked}" in shown
    assert "cret" not in shown


@pytest.mark.parametrize("password", ["s3/cret", "?s3cret", "#s3cret"])
def test_a_password_that_should_have_been_escaped_is_not_shown_either(password):
    with pytest.raises(ConfigurationError) as refused:
        load(None, {"kafka": {"consumer": {"proxy_url": f"http://me:{password}@host:80"}}})
    assert "cret" not in str(refused.value)


@pytest.mark.parametrize(
    "address", ["http://host:8080/a@b", "http://[::1]:85/a@b", "http://[::1]:8501", "http://me@host:80"]
)
def test_an_address_without_a_password_is_shown_as_it_is(address):
    assert f'url = "{address}"' in to_toml(load(None, {"models": {"resnet": {"url": address}}}))
