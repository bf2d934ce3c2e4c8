"""`classifyd check`: each part is OK, or the reason and what to do."""

import http.server
import socket
import threading

import pytest

from classifyd.core.errors import ConfigurationError, Unavailable
from classifyd.core.values import ModelInfo


class FakeClassifier:
    def __init__(self, error):
        self.error = error

    def probe(self):
        if self.error:
            raise self.error
        return ModelInfo("resnet", "onnx", "7", ("cat", "dog"))

    def close(self):
        pass


@pytest.fixture
def model(monkeypatch):
    state = {"error": None}
    monkeypatch.setenv("CLASSIFYD_HTTP__PORT", "0")
    monkeypatch.setattr(
        "classifyd.bootstrap.make_classifier", lambda _name, _settings: FakeClassifier(state["error"])
    )
    return state


def test_a_fresh_folder_is_in_order(classifyd, model, clean):
    ended = classifyd("check")
    assert ended.code == 0
    assert ended.out.splitlines() == [
        "OK      configuration",
        f"OK      inbox: {clean}/data/inbox; afterwards: move",
        f"OK      database: {clean}/data/classifyd.db will be made",
        "OK      http: 127.0.0.1:0 is free",
        "OK      model resnet: onnx, version 7, 2 classes",
    ]


def test_what_is_wrong_is_told_and_the_rest_is_checked_nevertheless(classifyd, model, clean):
    model["error"] = Unavailable("it does not answer: start it")
    (clean / "data").mkdir()
    (clean / "data" / "inbox").write_text("")
    ended = classifyd("check")
    assert ended.code == 1
    assert "WRONG   inbox: " in ended.out
    assert "OK      database: " in ended.out
    assert "WRONG   model resnet: it does not answer: start it" in ended.out


def test_wrong_settings_end_with_code_2(classifyd, monkeypatch):
    monkeypatch.setenv("CLASSIFYD_STOP_TIMEOUT", "5")
    assert classifyd("check").code == 2


def test_the_broker_and_every_configured_topic_are_checked(classifyd, model, monkeypatch):
    asked = []

    def check_broker(connection, topics):
        asked.append((connection["bootstrap_servers"], topics))
        return iter(())

    monkeypatch.setattr("classifyd.operations.check.check_broker", check_broker)
    monkeypatch.setenv("CLASSIFYD_KAFKA__BOOTSTRAP_SERVERS", "a:1")
    monkeypatch.setenv("CLASSIFYD_KAFKA__INPUT__TOPIC", "in")
    monkeypatch.setenv("CLASSIFYD_INBOX__ENABLED", "false")
    assert "inbox" not in classifyd("check").out
    assert asked == [(["a:1"], ["in", "in.dead-letter"])]


def test_the_broker_is_reached_as_the_daemon_reaches_it(classifyd, model, clean, monkeypatch):
    asked = []

    def opened(_client, arguments):
        asked.append(arguments)
        raise ConfigurationError("the settings of [kafka] do not work")

    monkeypatch.setattr("classifyd.kafka_python.opened", opened)
    (clean / "classifyd.toml").write_text(
        '[kafka]\nbootstrap_servers = ["a:1"]\n[kafka.input]\ntopic = "in"\nsession_timeout = "5m"\n'
        '[kafka.consumer]\nsocks5_proxy = "socks5://p:1080"\nheartbeat_interval_ms = 90_000\n'
    )
    assert classifyd("check", "--config", "classifyd.toml").code == 1
    [arguments] = asked
    assert arguments["socks5_proxy"] == "socks5://p:1080"
    assert "heartbeat_interval_ms" not in arguments, "the client would hold it against a session of its own"


def test_an_address_that_another_program_listens_on_is_told(classifyd, model, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        monkeypatch.setenv("CLASSIFYD_HTTP__PORT", str(port))
        other.close()
        assert f"OK      http: 127.0.0.1:{port} is free" in classifyd("check").out
    with http.server.HTTPServer(("127.0.0.1", port), http.server.BaseHTTPRequestHandler) as other:
        thread = threading.Thread(target=other.handle_request, name="other")
        thread.start()
        ended = classifyd("check")
        thread.join()
    assert ended.code == 1
    assert f"WRONG   http: the HTTP API cannot listen on 127.0.0.1:{port}" in ended.out


def test_an_address_is_not_tried_where_there_is_no_http(classifyd, model, monkeypatch):
    monkeypatch.setenv("CLASSIFYD_HTTP__ENABLED", "false")
    assert " http: " not in classifyd("check").out


def test_a_key_file_that_cannot_be_read_is_told(classifyd, model, monkeypatch, clean):
    monkeypatch.setenv("CLASSIFYD_HTTP__API_KEY_FILE", str(clean / "nothing"))
    ended = classifyd("check")
    assert ended.code == 2
    assert "api_key_file" in ended.err
