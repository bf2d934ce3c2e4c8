"""The deployment files as data."""

import json
import re
import shlex
from dataclasses import dataclass
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
COMPOSE_TEST = yaml.safe_load((ROOT / "docker-compose-test.yml").read_text())
DOCKERFILES = ("Dockerfile-daemon", "Dockerfile-TF")


@dataclass(frozen=True)
class Instruction:
    """One instruction of a Dockerfile: its word and the rest, continuation lines joined."""

    word: str
    rest: str

    @property
    def arguments(self) -> list[str]:
        """The rest as an exec form's list, or as a shell's words."""
        return json.loads(self.rest) if self.rest.startswith("[") else shlex.split(self.rest)


def instructions(dockerfile: str) -> list[Instruction]:
    lines = [line for line in (ROOT / dockerfile).read_text().splitlines() if not line.startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [Instruction(*line.split(maxsplit=1)) for line in joined.splitlines() if line]


def variables(env_file: str) -> dict[str, str]:
    """The variables of a file in the repository, as compose reads them."""
    lines = (ROOT / env_file).read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
