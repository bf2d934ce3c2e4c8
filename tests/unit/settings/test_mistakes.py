"""Every mistake is told in one line: where, which key, what is wrong, what to do."""

import pytest

from classifyd.core.errors import ConfigurationError
from classifyd.settings import load
from tests.unit.rights import forbid


def complaint(path, overrides=None, model_url=None):
    with pytest.raises(ConfigurationError) as caught:
        load(path, overrides or {}, model_url)
    return str(caught.value)


def test_each_problem_is_a_line_that_names_its_source(written, monkeypatch):
    file = written("[inbox]\nwatch = 'x'\n[limits]\nmax_scans = 0")
    monkeypatch.setenv("CLASSIFYD_HTTP__PORT", "high")
    lines = complaint(file, {"stop_timeout": 5}).splitlines()
    assert sorted(lines) == sorted(
        [
            f"{file}: inbox.watch: must be 'auto', 'native' or 'poll', not 'x'",
            f"{file}: limits.max_scans: must be greater than or equal to 1, not 0",
            "environment: CLASSIFYD_HTTP__PORT: must be a valid integer, "
            "unable to parse string as an integer, not 'high'",
            "command line: stop_timeout: needs a unit: write a duration such as 500ms, 30s, 5m, 2h or 90d",
        ]
    )


@pytest.mark.parametrize(
    ("toml", "key", "near"),
    [
        ("data_dri = 'x'", "data_dri", "data_dir"),
        ("[inbox]\npth = 'x'", "inbox.pth", "inbox.path"),
        ("port = 5", "port", "http.port"),
        ("[kafka]\ntopic = 'x'", "kafka.topic", "kafka.input.topic"),
        ("[models.cats]\nmaxbatch = 5", "models.cats.maxbatch", "models.cats.max_batch"),
        ("[inboxes]\npath = 'x'", "inboxes", "inbox"),
    ],
)
def test_an_unknown_key_names_the_nearest_known_one(written, toml, key, near):
    file = written(toml)
    assert complaint(file) == f"{file}: {key}: unknown key; the nearest known one is {near}"


@pytest.mark.parametrize(
    ("variable", "near"),
    [
        ("CLASSIFYD_INBOX_PATH", "CLASSIFYD_INBOX__PATH"),
        ("CLASSIFYD_INBOX__PTAH", "CLASSIFYD_INBOX__PATH"),
        ("CLASSIFYD_API_KEY", "CLASSIFYD_HTTP__API_KEY"),
        ("CLASSIFYD_KAFKA__INPUT__TOPIK", "CLASSIFYD_KAFKA__INPUT__TOPIC"),
        ("CLASSIFYD_MODELS__RESNET__UR", "CLASSIFYD_MODELS__RESNET__URL"),
    ],
)
@pytest.mark.parametrize("written", [str.upper, str.lower])
def test_an_unknown_variable_names_the_nearest_known_one(monkeypatch, variable, near, written):
    monkeypatch.setenv(written(variable), "x")
    assert complaint(None) == f"environment: {variable}: unknown key; the nearest known one is {near}"


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ({"inbox": 5}, "inbox: must be a table"),
        ({"http": 5}, "http: must be a table"),
        ({"kafka": 5}, "kafka: must be a table"),
        ({"kafka": {"input": "x"}}, "kafka.input: must be a table"),
        ({"models": 5}, "models: must be a table"),
        ({"models": {"a": 5}, "default_model": "a"}, "models.a: must be a table"),
        ({"inbox": {"include": 5}}, "inbox.include: must be a list of texts"),
        ({"inbox": {"include": "[1"}}, "inbox.include: is not a JSON list of texts"),
        ({"inbox": {"ignore": [5]}}, "inbox.ignore: must be a valid string, not 5"),
        ({"kafka": {"consumer": 5}}, "kafka.consumer: must be a table"),
        ({"data_dir": 5}, "data_dir: must be a valid path for <class 'pathlib.Path'>, not 5"),
        ({"default_model": 5}, "default_model: must be a valid string, not 5"),
        ({"models": {"a/b": {}}}, "models.a/b: 'a/b' is not understood: it must match"),
        (
            {"models": {"resnet": {"engine": "x"}}},
            "models.resnet: unknown engine 'x'; known are onnx, tfserving",
        ),
        ({"models": {"resnet": {"engine": "tfserving"}}}, "models.resnet.url: is missing: set it"),
        (
            {"models": {"resnet": {"url": "server:8501"}}},
            "models.resnet.url: 'server:8501' is not an address",
        ),
        (
            {"models": {"resnet": {"url": "http://a", "version": "v1"}}},
            "models.resnet.version: 'v1' is not underst",
        ),
        (
            {"models": {"resnet": {"engine": "onnx", "url": "http://a"}}},
            "models.resnet.url: belongs to the other engine: set the model's engine, or remove this key",
        ),
        (
            {"models": {"resnet": {"labels": "/no/labels"}}},
            "models.resnet.labels: there is no file /no/labels",
        ),
        ({"models": {}}, "default_model: there is no model 'resnet'; the configured ones are: none"),
        ({"inbox": {"poll_interval": "0s"}}, "inbox.poll_interval: must be greater than 0, not '0s'"),
        ({"stop_timeout": "9999999999999d"}, "stop_timeout: is too long: write at most 3650d"),
        ({"limits": {"max_bytes": "0B"}}, "limits.max_bytes: must be greater than 0, not '0B'"),
        ({"database": {"url": "postgresql://x/y"}}, "database.url: must name a SQLite file, such as"),
        ({"database": {"url": "sqlite:///:memory:"}}, "database.url: must name a SQLite file, such as"),
        ({"kafka": {"bootstrap_servers": "a"}}, "kafka.bootstrap_servers: 'a' is not HOST:PORT, such as"),
        ({"http": {"port": 70_000}}, "http.port: must be less than or equal to 65535, not 70000"),
    ],
)
def test_a_value_of_the_wrong_kind(table, told):
    assert complaint(None, table).startswith(f"command line: {told}")


@pytest.mark.parametrize(
    ("table", "told"),
    [
        (
            {"intake": {"max_bytes": "1MiB"}},
            "intake.max_bytes: must be at least limits.max_bytes, or the largest picture never fits",
        ),
        ({"http": {"record": False, "publish": True}}, "http.publish: needs http.record = true"),
        (
            {"default_model": "cats"},
            "default_model: there is no model 'cats'; the configured ones are: resnet",
        ),
        (
            {"models": {"resnet": {}, "dogs": {}}, "inbox": {"model": "cats"}},
            "inbox.model: there is no model 'cats'; the configured ones are: dogs, resnet",
        ),
        (
            {"kafka": {"bootstrap_servers": "a:1", "input": {"topic": "t", "model": "cats"}}},
            "kafka.input.model: there is no model 'cats'",
        ),
        (
            {"kafka": {"bootstrap_servers": "a:1", "input": {"topic": "t"}, "output": {"topic": "t"}}},
            "kafka.output.topic: 't' is also read: results would come back as pictures",
        ),
        (
            {"kafka": {"bootstrap_servers": "a:1", "input": {"topic": "t", "dead_letter_topic": "t"}}},
            "kafka.input.dead_letter_topic: 't' is read or written already: choose another",
        ),
        (
            {"kafka": {"security_protocol": "SASL_SSL"}},
            "kafka.sasl_mechanism: must be set for security_protocol SASL_SSL",
        ),
        (
            {"kafka": {"sasl_mechanism": "PLAIN", "sasl_plain_username": "me"}},
            "kafka.sasl_plain_username: and sasl_plain_password must be set for PLAIN",
        ),
    ],
)
def test_settings_that_contradict_one_another(table, told):
    assert complaint(None, table).startswith(f"command line: {told}")


@pytest.mark.parametrize("name", ["done", "failed"])
@pytest.mark.parametrize(
    ("inbox", "folder", "wrong"),
    [
        ("in", "in", True),
        ("a/in", "a", True),
        ("in", "in/.classifyd/x", True),
        ("in", "in/done", False),
        ("in", "in2", False),
    ],
)
def test_done_and_failed_may_not_hold_the_inbox(name, inbox, folder, wrong):
    table = {"inbox": {"path": inbox, name: folder}}
    if wrong:
        assert complaint(None, table).startswith(f"command line: inbox.{name}: ")
    else:
        load(None, table)


def test_folders_that_are_not_used_may_lie_anywhere():
    load(None, {"inbox": {"path": "x", "done": "x", "after": "keep"}})
    load(None, {"inbox": {"path": "x", "done": "x", "enabled": False}})


@pytest.mark.parametrize(
    ("table", "option", "instead"),
    [
        ("consumer", "group_id", "set kafka.input.group_id instead"),
        ("consumer", "session_timeout_ms", "set kafka.input.session_timeout instead"),
        ("consumer", "bootstrap_servers", "set kafka.bootstrap_servers instead"),
        ("producer", "client_id", "set kafka.client_id instead"),
        ("producer", "ssl_cafile", "set kafka.ssl_cafile, for every connection, instead"),
        ("consumer", "enable_auto_commit", "must be set by the daemon itself"),
        ("consumer", "isolation_level", "must be set by the daemon itself"),
        ("producer", "acks", "must be set by the daemon itself"),
        ("producer", "enable_idempotence", "must be set by the daemon itself"),
    ],
)
def test_library_options_that_the_daemon_needs_for_itself_are_refused_by_name(table, option, instead):
    told = complaint(None, {"kafka": {table: {option: 1}}})
    assert told.startswith(f"command line: kafka.{table}: {option} ")
    assert instead in told


def test_a_contradiction_with_a_default_names_the_source_of_its_neighbour(written):
    file = written("[limits]\nmax_bytes = '1GiB'")
    told = complaint(file)
    assert told.endswith(
        "intake.max_bytes: must be at least limits.max_bytes, or the largest picture never fits"
    )


SECRETS = [("http", "api_key"), ("kafka", "sasl_plain_password"), ("kafka", "ssl_password")]


@pytest.mark.parametrize(("table", "name"), SECRETS)
def test_a_secret_may_come_from_a_file(written, table, name):
    secret = "s3 cret" if name == "api_key" else "  s3 cret "
    file = written(f"{secret}\n", "secret")
    settings = load(None, {table: {f"{name}_file": str(file)}})
    assert getattr(getattr(settings, table), name).get_secret_value() == secret


@pytest.mark.parametrize(("table", "name"), SECRETS)
def test_a_secret_is_never_shown(table, name):
    settings = load(None, {table: {name: "s3cret"}})
    assert "s3cret" not in f"{settings!r} {settings} {settings.model_dump_json()}"


@pytest.mark.parametrize(("table", "name"), SECRETS)
@pytest.mark.parametrize("value", [12345, ["12345"], {"x": "12345"}])
def test_a_mistaken_secret_is_not_shown_either(table, name, value):
    assert "12345" not in complaint(None, {table: {name: value}})


@pytest.mark.parametrize(
    ("content", "told"), [(None, "cannot be read: No such file"), (b"\n", "is empty"), (b"\xff", "not UTF-8")]
)
def test_a_secret_file_that_gives_no_secret(clean, content, told):
    file = clean / "secret"
    if content is not None:
        file.write_bytes(content)
    assert told in complaint(None, {"http": {"api_key_file": str(file)}})


def test_a_secret_by_value_and_by_file_is_ambiguous(written):
    file = written("b", "secret")
    told = complaint(None, {"http": {"api_key": "a", "api_key_file": str(file)}})
    assert told == "command line: http: api_key and api_key_file are both set: keep one of them"


def test_an_empty_secret_is_refused():
    assert "http.api_key" in complaint(None, {"http": {"api_key": ""}})


def test_a_file_in_a_folder_that_may_not_be_entered(clean, monkeypatch):
    forbid(monkeypatch, clean / "private")
    told = complaint(None, {"kafka": {"ssl_keyfile": str(clean / "private/key.pem")}})
    assert told == (
        f"command line: kafka.ssl_keyfile: {clean}/private/key.pem cannot be looked at (Permission denied):"
        " give this user the right to enter its folder"
    )


@pytest.mark.parametrize("key", ["url", "proxy"])
@pytest.mark.parametrize(
    "address",
    [
        "http://[::1",
        "http://a..b:80",
        f"http://{'a' * 64}.org",
        "http://a:port",
        "http://a:70000",
        "http://:80",
    ],
)
def test_an_address_that_cannot_be_taken_apart(key, address):
    told = complaint(None, {"models": {"resnet": {"url": "http://a", key: address}}})
    assert told == (
        f"command line: models.resnet.{key}: {address!r} is not an address such as http://localhost:8501"
    )


@pytest.mark.parametrize(
    "address",
    [
        "grpc://",
        "grpc:/a:8500",
        "grpc://a:port",
        "grpc://a..b",
        "grpc://a:8500/v1",
        "grpc://a?x",
        "grpcs://a#x",
        "GRPC://a:8500",
    ],
)
def test_an_address_for_grpc_is_a_host_and_a_port(address):
    told = complaint(None, {"models": {"resnet": {"url": address}}})
    assert told == (
        f"command line: models.resnet.url: {address!r} is not an address such as grpc://localhost:8500"
    )


def test_a_proxy_has_no_address_for_grpc():
    told = complaint(None, {"models": {"resnet": {"url": "http://a", "proxy": "grpc://a:8500"}}})
    assert "models.resnet.proxy: 'grpc://a:8500' is not an address such as http://localhost:8501" in told


@pytest.mark.parametrize(
    "address",
    ["http://[::1]:8501", "http://bücher.example", "http://a.b.:80/base", "grpc://[::1]:8500", "grpcs://a"],
)
def test_an_unusual_address_is_taken(address):
    assert load(None, {"models": {"resnet": {"url": address}}}).models["resnet"].url == address


@pytest.mark.parametrize("address", ["user:s3cret@a", "http://user:s3cret@[::1", "http://user:s3cret/x@a"])
def test_a_password_in_a_mistaken_address_is_not_shown(address):
    told = complaint(None, {"models": {"resnet": {"url": "http://a", "proxy": address}}})
    assert "models.resnet.proxy: what is given is not an address" in told
    assert "s3cret" not in told


def test_a_password_in_an_address_for_grpc_is_refused_and_not_shown():
    told = complaint(None, {"models": {"resnet": {"url": "grpc://user:s3cret@a"}}})
    assert "models.resnet.url: what is given is not an address" in told
    assert "s3cret" not in told


@pytest.mark.parametrize("table", ["consumer", "producer"])
@pytest.mark.parametrize("key", ["proxy_url", "socks5_proxy"])
@pytest.mark.parametrize(
    "address",
    ["me:hunter2@proxy:1080", "socks5://me:hunter2@proxy", "socks5://me:hunter2@[proxy:1080", "ftp://x:1", 5],
)
def test_a_proxy_to_the_broker_that_is_none_is_refused_without_its_password(table, key, address):
    told = complaint(None, {"kafka": {table: {key: address}}})
    assert f"kafka.{table}: {key} is no address such as socks5://proxy.example:1080" in told
    assert "hunter2" not in told


@pytest.mark.parametrize("key", [" hunter2", "hunter2 ", "hun\tter2", "hunter2\x00", "hunter2\x7f"])
def test_a_key_that_no_client_could_send_is_refused_without_being_told(key):
    told = complaint(None, {"http": {"api_key": key}})
    assert told.endswith(
        "http.api_key: has spaces around it or control characters in it: no client could send it"
    )
