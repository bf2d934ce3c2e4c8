"""Where the daemon keeps its own things inside an inbox."""

from dataclasses import dataclass
from pathlib import Path

WORK = ".classifyd"


@dataclass(frozen=True, slots=True)
class Layout:
    """`<inbox>/.classifyd/<instance>.lock` and `<inbox>/.classifyd/claimed/<instance>/<claim>/<path>`."""

    inbox: Path

    @property
    def work(self) -> Path:
        return self.inbox / WORK

    @property
    def claimed(self) -> Path:
        return self.work / "claimed"

    def claims_of(self, instance: str) -> Path:
        return self.claimed / instance

    def lock_of(self, instance: str) -> Path:
        return self.work / f"{instance}.lock"
