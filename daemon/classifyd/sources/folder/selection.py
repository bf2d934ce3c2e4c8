"""Which names are pictures."""

import fnmatch
import re
from collections.abc import Collection

_NOTHING = re.compile(r"(?!)")


class Selection:
    """Shell patterns, matched against single names in any case."""

    def __init__(self, include: Collection[str], ignore: Collection[str]) -> None:
        self._include = _union(include)
        self._ignore = _union(ignore)

    def ignores(self, name: str) -> bool:
        """Whether a file or a folder of this name is passed over in silence."""
        return self._ignore.match(name) is not None

    def includes(self, name: str) -> bool:
        """Whether a file of this name is taken for a picture, unless it is ignored."""
        return self._include.match(name) is not None

    def wants(self, relative: str) -> bool:
        """Whether the file at this path below the inbox is taken: no part of the path is ignored."""
        parts = relative.split("/")
        return self.includes(parts[-1]) and not any(self.ignores(part) for part in parts)


def _union(patterns: Collection[str]) -> re.Pattern[str]:
    if not patterns:
        return _NOTHING
    return re.compile("|".join(fnmatch.translate(pattern) for pattern in patterns), re.IGNORECASE)
