"""docker-compose.yml and its test: what they name exists, and services start in an order that works."""

import os
import re
import shutil
import subprocess

import pytest

from classifyd.settings import TfServingModel, load
from tests.deployment.files import COMPOSE, COMPOSE_TEST, ROOT, instructions, variables

SERVICES = COMPOSE["services"]
TEST_SERVICES = COMPOSE_TEST["services"]
DEFAULT = re.compile(r"\$\{[A-Z_]+:-([^}]*)\}")


def environment(service: str) -> dict[str, str]:
    """A service's variables, with the defaults of those that .env may give."""
    files = [name for name in env_files(service) if name != ".env"]
    given = SERVICES[service].get("environment", {})
    own = {name: DEFAULT.sub(r"\1", str(value)) for name, value in given.items() if value is not None}
    return {name: value for file in files for name, value in variables(file).items()} | own


def env_files(service: str) -> list[str]:
    files = SERVICES[service].get("env_file", [])
    return [files] if isinstance(files, str) else files


@pytest.mark.parametrize("services", [SERVICES, TEST_SERVICES], ids=["compose", "test"])
def test_what_is_built_can_be_built(services):
    for service in services.values():
        if "build" in service:
            dockerfile = service["build"]["dockerfile"]
            assert (ROOT / dockerfile).is_file()
            if target := service["build"].get("target"):
                stages = [i.arguments[-1] for i in instructions(dockerfile) if i.word == "FROM"]
                assert target in stages


def test_every_volume_is_declared():
    declared = set(COMPOSE["volumes"]) | set(COMPOSE_TEST["volumes"])
    for service in (*SERVICES.values(), *TEST_SERVICES.values()):
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert source in declared or source == "./data", volume


def test_nothing_is_published_beyond_this_host():
    for service in SERVICES.values():
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:")


def test_what_is_made_of_the_daemon_s_image_runs_without_rights():
    ours = [name for name, service in SERVICES.items() if service["image"] == "classifyd-daemon"]
    assert set(ours) == {"folders", "models", "daemon"}
    for name in ours:
        service = SERVICES[name]
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert service["read_only"] is True
        assert service["tmpfs"] == ["/tmp"]
        assert service.get("cap_add", []) == (["CHOWN"] if name == "folders" else [])
        assert not service.get("privileged")
    assert SERVICES["daemon"]["user"] == "${HOST_UID:-1000}:${HOST_GID:-1000}"


def test_a_service_waits_for_the_health_or_the_end_of_what_it_needs():
    everything = {**TEST_SERVICES, **SERVICES}
    for service in everything.values():
        for needed, how in service.get("depends_on", {}).items():
            assert needed in everything
            one_shot = everything[needed].get("restart") is None
            assert how["condition"] == ("service_completed_successfully" if one_shot else "service_healthy")


def test_what_must_be_healthy_says_whether_it_is():
    assert "healthcheck" in SERVICES["kafka"]
    for dockerfile in ("Dockerfile-daemon", "Dockerfile-TF"):
        assert any(instruction.word == "HEALTHCHECK" for instruction in instructions(dockerfile))


def test_the_daemon_s_settings_are_settings_that_fit_together(monkeypatch, tmp_path):
    labels = tmp_path / "labels.txt"
    labels.write_text("background\n")
    monkeypatch.chdir(tmp_path)
    for name, value in environment("daemon").items():
        monkeypatch.setenv(name, str(labels) if name.endswith("LABELS") else value)
    settings = load(None, {})
    assert settings.http.host == "0.0.0.0"
    assert settings.kafka.bootstrap_servers == ("kafka:19092",)
    model = settings.models[settings.default_model]
    assert isinstance(model, TfServingModel)
    assert model.url == "http://tensorflow-serving:8501"
    assert settings.database.url.startswith("sqlite:////var/lib/classifyd/")


def test_what_env_says_of_the_world_outside_does_not_hold_in_a_container():
    """Every variable that .env.example suggests for outside is set by compose itself."""
    example = (ROOT / ".env.example").read_text()
    outside = example[example.index("# Outside containers") : example.index("# Everywhere")]
    suggested = re.findall(r"^#?([A-Z_]+)=", outside, re.MULTILINE)
    assert suggested
    assert set(suggested) <= environment("daemon").keys()


def test_env_example_tells_of_the_variables_of_compose_alone():
    used = set(re.findall(r"\$\{([A-Z_]+):-", (ROOT / "docker-compose.yml").read_text()))
    told = set(re.findall(r"^#?([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    assert used <= told


def test_the_topics_that_are_made_are_those_of_the_daemon():
    made, used = environment("kafka-topics"), environment("daemon")
    assert made["INPUT"] == used["CLASSIFYD_KAFKA__INPUT__TOPIC"]
    assert made["OUTPUT"] == used["CLASSIFYD_KAFKA__OUTPUT__TOPIC"]
    assert "$$INPUT.dead-letter" in SERVICES["kafka-topics"]["command"][-1]


def test_the_broker_takes_the_largest_picture(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    broker = environment("kafka")
    assert int(broker["KAFKA_MESSAGE_MAX_BYTES"]) > load(None, {}).limits.max_bytes
    addresses = dict(part.split("://") for part in broker["KAFKA_ADVERTISED_LISTENERS"].split(","))
    assert addresses["CONTAINERS"] == environment("daemon")["CLASSIFYD_KAFKA__BOOTSTRAP_SERVERS"]
    assert addresses["HOST"] == "localhost:9092"


def test_the_tests_leave_the_user_s_pictures_alone():
    for service in ("daemon", "folders"):
        assert [volume.split(":")[1] for volume in TEST_SERVICES[service]["volumes"]] == ["/data"]
        assert not TEST_SERVICES[service]["volumes"][0].startswith("./")


@pytest.mark.skipif(not shutil.which("docker-compose"), reason="docker-compose is not installed")
@pytest.mark.parametrize("files", [["docker-compose.yml"], ["docker-compose.yml", "docker-compose-test.yml"]])
def test_docker_compose_accepts_the_files(tmp_path, files):
    for name in {*files, *env_files("kafka"), *env_files("daemon")} - {".env"}:
        target = tmp_path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, target)
    shutil.copy(ROOT / ".env.example", tmp_path / ".env")
    arguments = [argument for name in files for argument in ("-f", name)]
    ended = subprocess.run(
        ["docker-compose", *arguments, "config", "--quiet"],
        cwd=tmp_path,
        env={name: value for name, value in os.environ.items() if not name.startswith("CLASSIFYD_")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
