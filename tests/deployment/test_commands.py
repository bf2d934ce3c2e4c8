"""Every `classifyd ...` in a deployment file is a command of the command line."""

import pytest

from tests.deployment.commands import code, command_lines, fault
from tests.deployment.files import ROOT, instructions

FILES = [
    "Makefile",
    "config/systemd/classifyd.service",
    "docker-compose.yml",
    "docker_run.sh",
]


@pytest.mark.parametrize("name", FILES)
def test_commands_and_options_exist(name):
    faults = [fault(words) for words in command_lines((ROOT / name).read_text())]
    assert not any(faults), faults


PAGES = ["README.md", *(f"docs/{path.name}" for path in sorted((ROOT / "docs").glob("*.md")))]


@pytest.mark.parametrize("page", PAGES)
def test_commands_and_options_in_the_documentation_exist(page):
    calls = command_lines(code((ROOT / page).read_text()))
    faults = [(words, what) for words in calls if (what := fault(words))]
    assert not faults


def test_commands_are_found_in_a_page_s_code_alone():
    page = (
        "classifyd listens\n\n    classifyd run\n\nor `classifyd\ncheck`\n```\n$ classifyd models list\n```\n"
    )
    assert sorted(command_lines(code(page))) == [["check"], ["models", "list"], ["run"]]


def test_the_daemon_image_starts_a_real_command():
    (command,) = [i.arguments for i in instructions("Dockerfile-daemon")[-1:]]
    assert command[0] == "classifyd"
    assert fault(command[1:]) is None


def test_the_model_that_is_pulled_is_in_the_catalog_and_served():
    catalog = (ROOT / "models/catalog.toml").read_text()
    served = (ROOT / "config/tf-serving/models.config").read_text()
    for name in ("docker-compose.yml", "docker_run.sh"):
        pulls = [
            words for words in command_lines((ROOT / name).read_text()) if words[:2] == ["models", "pull"]
        ]
        assert pulls
        for words in pulls:
            assert f"[{words[2]}]" in catalog
            assert f'base_path: "/models/{words[2]}"' in served


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("    ExecStart=/opt/classifyd/bin/classifyd run", [["run"]]),
        ("run classifyd-daemon classifyd models pull x --into /m", [["models", "pull", "x", "--into", "/m"]]),
        ("# classifyd dance", []),
    ],
)
def test_command_lines_are_found_in_text(text, found):
    assert command_lines(text) == found


def test_a_command_that_does_not_exist_is_found_out():
    assert fault(["dance"]) == "no command 'dance'"
    assert fault(["run", "--gracefully"]) == "no option --gracefully"
    assert fault(["config"]) == "'config' is not a whole command"
