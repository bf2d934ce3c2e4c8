"""`classifyd run`: options become settings, and a person learns where to drop pictures."""

import json

import pytest

from classifyd.core.values import Progress


class FakeDaemon:
    """Notes what it was made with; ends at once with the code of `ends`."""

    made: list
    ends = 0
    left_running = False

    def __init__(self, settings, once, serve):
        type(self).made.append((settings, once, serve))

    def run(self, on_tick):
        if on_tick is not None:
            on_tick(Progress(waiting=1, in_flight=2, done=3, rejected=4))
        return self.ends

    def summary(self):
        return ["3 classified", "[bold]4 rejected"]


@pytest.fixture
def daemon(monkeypatch):
    FakeDaemon.made = []
    FakeDaemon.ends = 0
    monkeypatch.setattr("classifyd.cli.running.Daemon", FakeDaemon)
    return FakeDaemon


def hints(err):
    return [json.loads(line).get("hint", "") for line in err.splitlines()]


def test_options_become_settings(classifyd, daemon, clean):
    ended = classifyd(
        "run",
        *("--inbox", "in", "--database", "db.sqlite", "--http", "0.0.0.0:8000", "--group-id", "g"),
        *("--bootstrap-servers", "a:1,b:2", "--input-topic", "i", "--output-topic", "o"),
        *("--model-url", "http://model:8501"),
    )
    assert ended.code == 0
    [(settings, once, serve)] = daemon.made
    assert settings.inbox.path == clean / "in"
    assert settings.database.url == f"sqlite:///{clean}/db.sqlite"
    assert (settings.http.host, settings.http.port) == ("0.0.0.0", 8000)
    assert settings.kafka.bootstrap_servers == ("a:1", "b:2")
    kafka = settings.kafka
    assert (kafka.input.topic, kafka.output.topic, kafka.input.group_id) == ("i", "o", "g")
    assert settings.models["resnet"].url == "http://model:8501"
    assert not once
    assert serve is not None


@pytest.mark.parametrize("database", ["sqlite:///x.db", "x.db"])
def test_a_database_is_a_file_or_an_address(classifyd, daemon, clean, database):
    classifyd("run", "--database", database)
    assert daemon.made[0][0].database.url == f"sqlite:///{clean}/x.db"


def test_an_inbox_on_the_command_line_is_watched_whatever_the_file_says(classifyd, daemon, monkeypatch):
    monkeypatch.setenv("CLASSIFYD_INBOX__ENABLED", "false")
    classifyd("run", "--inbox", "in")
    assert daemon.made[0][0].inbox.enabled


@pytest.mark.parametrize("option", ["--no-http", "--once"])
def test_http_is_not_served(classifyd, daemon, option):
    classifyd("run", option)
    assert daemon.made[0][2] is None


@pytest.mark.parametrize(
    ("address", "host", "port"),
    [("localhost:80", "localhost", 80), ("[::1]:80", "::1", 80), ("10.0.0.1:0", "10.0.0.1", 0)],
)
def test_an_http_address(classifyd, daemon, address, host, port):
    classifyd("run", "--http", address)
    http = daemon.made[0][0].http
    assert (http.host, http.port, http.enabled) == (host, port, True)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--http", "5000"], "--http 5000: write HOST:PORT, such as 127.0.0.1:5000 or [::1]:5000"),
        (["--http", "::1:5000"], "--http ::1:5000: write HOST:PORT"),
        (["--http", "a:1", "--no-http"], "--http and --no-http: give one of them"),
        (["--input-topic", "t"], "a topic is given, but no broker: add --bootstrap-servers HOST:PORT"),
        (["--output-topic", "t"], "a topic is given, but no broker: add --bootstrap-servers HOST:PORT"),
        (["--bootstrap-servers", "a:1"], "kafka.bootstrap_servers is set, but no topic: set kafka.input"),
        (["--http", "a:70000"], "command line: http.port: must be less than or equal to 65535, not 70000"),
        (["--config", "nowhere"], "nowhere: there is no such configuration file"),
    ],
)
def test_a_mistake_is_one_line_and_code_2(classifyd, daemon, arguments, told):
    ended = classifyd("run", *arguments)
    assert ended.code == 2
    assert ended.err.startswith(f"classifyd: {told}")
    assert ended.err.count("\n") == 1
    assert not daemon.made


def test_the_daemons_exit_code_is_the_commands(classifyd, daemon):
    daemon.ends = 1
    assert classifyd("run").code == 1


def test_it_says_once_where_pictures_go_and_results_come_out(classifyd, daemon, clean):
    said = hints(classifyd("run").err)
    assert f"Drop pictures into {clean}/data/inbox" in said
    assert "See results: classifyd results list" in said
    assert sum("ten classes" in hint and "classifyd models pull resnet50_v2" in hint for hint in said) == 1


def test_it_does_not_speak_of_what_is_off(classifyd, daemon, monkeypatch):
    monkeypatch.setenv("CLASSIFYD_INBOX__ENABLED", "false")
    said = hints(
        classifyd(
            "run", "--no-http", "--model-url", "http://m", "--bootstrap-servers", "a:1", "--input-topic", "t"
        ).err
    )
    assert said == ["Produce pictures to the Kafka topic t", "See results: classifyd results list"]


def test_where_http_really_listens_is_told(classifyd, daemon, monkeypatch):
    class Server:
        url = "http://127.0.0.1:4711"

    def make(self, settings, once, serve):
        assert serve("interior") is not None

    monkeypatch.setattr("classifyd.cli.running.make_service", lambda settings, interior: Server())
    monkeypatch.setattr(FakeDaemon, "__init__", make)
    said = hints(classifyd("run", "--http", "127.0.0.1:0").err)
    assert "Send pictures: curl -F image=@cat.jpg http://127.0.0.1:4711/classify/resnet" in said
    assert "See results: classifyd results list, or http://127.0.0.1:4711/results" in said


def test_once_ends_with_a_summary(classifyd, daemon):
    ended = classifyd("run", "--once")
    assert ended.out == "3 classified\n[bold]4 rejected\n"
    assert daemon.made[0][1]


@pytest.fixture
def terminal(monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")


def test_a_terminal_shows_one_live_line_and_words_for_people(classifyd, daemon, terminal, clean):
    shown = classifyd("run").err
    assert "waiting 1 · in flight 2 · done 3 · rejected 4" in shown
    assert f"Drop pictures into {clean}/data/inbox" in shown
    assert '{"' not in shown


def test_a_terminal_shows_a_bar_and_a_summary_for_once(classifyd, daemon, terminal):
    shown = classifyd("run", "--once").err
    assert "7/10" in shown
    assert "━" in shown
    assert "[bold]4 rejected" in shown


def test_a_terminal_gets_json_where_it_is_asked_for(classifyd, daemon, terminal, monkeypatch):
    monkeypatch.setenv("CLASSIFYD_LOG__FORMAT", "json")
    assert "ten classes" in hints(classifyd("run").err)[-1]


@pytest.mark.parametrize("options", [("run",), ("run", "--once")], ids=" ".join)
def test_where_threads_are_left_the_process_ends_without_the_interpreter(
    classifyd, daemon, monkeypatch, options
):
    class Left(BaseException):
        """`os._exit` does not return."""

    def leave(code):
        raise Left(code)

    monkeypatch.setattr(daemon, "left_running", True)
    monkeypatch.setattr(daemon, "ends", 1)
    monkeypatch.setattr("classifyd.cli.running.os._exit", leave)
    with pytest.raises(Left, match="1"):
        classifyd(*options)
