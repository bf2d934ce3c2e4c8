from pathlib import Path

import pytest

from classifyd.core.errors import ConfigurationError
from classifyd.settings import OnnxModel, TfServingModel, load


def test_the_defaults_run_the_bundled_model_on_an_inbox_in_the_working_directory(clean):
    settings = load(None, {})
    assert settings.models == {"resnet": OnnxModel()}
    assert settings.models["resnet"].path == "bundled"
    assert settings.inbox.path == clean / "data" / "inbox"
    assert settings.database.url == f"sqlite:///{clean}/data/classifyd.db"
    assert not settings.kafka.enabled
    assert (settings.http.host, settings.http.port) == ("127.0.0.1", 5000)


def test_later_sources_win_over_earlier_ones(written, monkeypatch):
    file = written('stop_timeout = "10s"\n[http]\nport = 1\nhost = "file"\n[log]\nlevel = "debug"')
    monkeypatch.setenv("CLASSIFYD_HTTP__PORT", "2")
    monkeypatch.setenv("CLASSIFYD_HTTP__HOST", "environment")
    settings = load(file, {"http": {"port": 3}})
    assert (settings.http.port, settings.http.host) == (3, "environment")
    assert (settings.log.level, settings.stop_timeout) == ("debug", 10.0)


def test_the_file_asked_for_comes_before_the_variable_and_the_usual_place(written, monkeypatch):
    usual = written("[http]\nport = 1", "config/classifyd.toml")
    assert load(None, {}).http.port == 1
    monkeypatch.setenv("CLASSIFYD_CONFIG", str(written("[http]\nport = 2", "variable.toml")))
    assert load(None, {}).http.port == 2
    assert load(written("[http]\nport = 3", "asked.toml"), {}).http.port == 3
    assert usual.exists()


@pytest.mark.parametrize("how", ["asked for", "variable"])
def test_a_named_file_that_is_missing_is_an_error(how, monkeypatch):
    if how == "variable":
        monkeypatch.setenv("CLASSIFYD_CONFIG", "nowhere.toml")
    with pytest.raises(ConfigurationError, match=r"^nowhere.toml: there is no such configuration file$"):
        load(Path("nowhere.toml") if how == "asked for" else None, {})


def test_a_file_that_cannot_be_read_is_an_error(clean):
    with pytest.raises(ConfigurationError, match="cannot be read: Is a directory"):
        load(clean, {})


@pytest.mark.parametrize("content", [b"inbox = ", b"\xff = 1"])
def test_a_file_that_is_not_toml_is_an_error(clean, content):
    file = clean / "broken.toml"
    file.write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"broken.toml: is not valid TOML"):
        load(file, {})


def test_everything_else_follows_data_dir(clean):
    settings = load(None, {"data_dir": "elsewhere"})
    assert settings.inbox.done == clean / "elsewhere" / "done"
    assert settings.inbox.failed == clean / "elsewhere" / "failed"
    assert settings.database.url == f"sqlite:///{clean}/elsewhere/classifyd.db"
    assert settings.creates_inbox


def test_only_the_default_inbox_is_made():
    assert not load(None, {"inbox": {"path": "/srv/pictures"}}).creates_inbox


def test_paths_are_absolute_and_the_home_folder_is_known(clean, monkeypatch):
    monkeypatch.setenv("HOME", "/home/somebody")
    settings = load(
        None, {"inbox": {"path": "a/../b", "done": "~/done"}, "database": {"url": "sqlite:///x.db"}}
    )
    assert settings.inbox.path == clean / "b"
    assert settings.inbox.done == Path("/home/somebody/done")
    assert settings.database.url == f"sqlite:///{clean}/x.db"


def test_models_that_are_not_named_are_the_default_one():
    settings = load(None, {"default_model": "a", "models": {"a": {}, "b": {}}, "inbox": {"model": "b"}})
    assert (settings.inbox.model, settings.kafka.input.model) == ("b", "a")


def test_dead_letters_are_named_after_the_topic():
    kafka = {"bootstrap_servers": "a:1", "input": {"topic": "pictures"}}
    assert load(None, {"kafka": kafka}).kafka.input.dead_letter_topic == "pictures.dead-letter"


def test_lists_in_the_environment_are_commas_or_json(monkeypatch):
    monkeypatch.setenv("CLASSIFYD_INBOX__INCLUDE", "*.jpg, *.jpeg")
    monkeypatch.setenv("CLASSIFYD_INBOX__IGNORE", '["a,b", "c"]')
    inbox = load(None, {}).inbox
    assert inbox.include == ("*.jpg", "*.jpeg")
    assert inbox.ignore == ("a,b", "c")


def test_library_options_in_the_environment_have_their_types(monkeypatch):
    monkeypatch.setenv("CLASSIFYD_KAFKA__CONSUMER__FETCH_MIN_BYTES", "5")
    monkeypatch.setenv("CLASSIFYD_KAFKA__CONSUMER__CHECK_CRCS", "false")
    monkeypatch.setenv("CLASSIFYD_KAFKA__PRODUCER__COMPRESSION_TYPE", "gzip")
    kafka = load(None, {}).kafka
    assert kafka.consumer == {"fetch_min_bytes": 5, "check_crcs": False}
    assert kafka.producer == {"compression_type": "gzip"}


def test_empty_variables_count_as_not_set(monkeypatch):
    monkeypatch.setenv("CLASSIFYD_HTTP__API_KEY", "")
    monkeypatch.setenv("CLASSIFYD_HTTP__PORT", "")
    http = load(None, {}).http
    assert http.api_key is None
    assert http.port == 5000


def test_variables_that_are_not_settings_are_let_be(monkeypatch):
    for name in ("CLASSIFYD_URL", "CLASSIFYD_CRASH_AT"):
        monkeypatch.setenv(name, "x")
    load(None, {})


def test_a_setting_of_one_model_keeps_the_rest_of_it(written, monkeypatch):
    file = written("[models.resnet]\nengine = 'onnx'\ntop_k = 3")
    monkeypatch.setenv("CLASSIFYD_MODELS__RESNET__MAX_BATCH", "7")
    model = load(file, {}).models["resnet"]
    assert (model.top_k, model.max_batch, model.engine) == (3, 7, "onnx")


def test_a_later_source_that_changes_the_engine_replaces_the_model(written, monkeypatch):
    file = written("[models.resnet]\nengine = 'onnx'\npath = 'somewhere'\ntop_k = 3")
    monkeypatch.setenv("CLASSIFYD_MODELS__RESNET__URL", "http://server:8501/")
    model = load(file, {}).models["resnet"]
    assert isinstance(model, TfServingModel)
    assert (model.url, model.name, model.top_k) == ("http://server:8501", "resnet", 5)


def test_a_server_s_address_keeps_what_was_said_of_the_model_before(monkeypatch, clean):
    labels = clean / "labels.txt"
    labels.write_text("cat\n")
    monkeypatch.setenv("CLASSIFYD_MODELS__RESNET__LABELS", str(labels))
    monkeypatch.setenv("CLASSIFYD_MODELS__RESNET__MAX_BATCH", "7")
    model = load(None, {}, "http://localhost:8501").models["resnet"]
    assert isinstance(model, TfServingModel)
    assert (model.labels, model.max_batch) == (labels, 7)


def test_a_later_source_of_the_same_engine_changes_only_what_it_says(written, monkeypatch):
    file = written("[models.resnet]\nurl = 'http://a'\nversion = 5")
    monkeypatch.setenv("CLASSIFYD_MODELS__RESNET__URL", "http://b")
    model = load(file, {}).models["resnet"]
    assert (model.url, model.version) == ("http://b", "5")


def test_the_model_address_of_the_command_line_is_the_default_models(written):
    file = written("default_model = 'b'\n[models.a]\n[models.b]\npath = 'x'")
    settings = load(file, {}, model_url="http://server:8501")
    assert isinstance(settings.models["a"], OnnxModel)
    assert settings.models["b"].url == "http://server:8501"


def test_the_connection_is_kafka_pythons_own_arguments(written, clean):
    password = written("top secret\n", "password")
    authority = written("", "ca.pem")
    kafka = load(
        None,
        {
            "kafka": {
                "bootstrap_servers": "a:1,b:2",
                "security_protocol": "SASL_SSL",
                "sasl_mechanism": "SCRAM-SHA-512",
                "sasl_plain_username": "me",
                "sasl_plain_password_file": str(password),
                "ssl_cafile": str(authority),
                "input": {"topic": "t"},
            }
        },
    ).kafka
    assert kafka.connection == {
        "bootstrap_servers": ["a:1", "b:2"],
        "client_id": "classifyd",
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": "me",
        "sasl_plain_password": "top secret",
        "sasl_kerberos_service_name": "kafka",
        "ssl_cafile": str(authority),
        "ssl_check_hostname": True,
    }


def test_settings_do_not_change():
    settings = load(None, {})
    with pytest.raises(ValueError, match="frozen"):
        settings.http.port = 1
