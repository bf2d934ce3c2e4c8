"""What the folder source needs to know."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

WatchMode = Literal["auto", "native", "poll"]
After = Literal["move", "delete", "keep"]

DEFAULT_INCLUDE = ("*.jpg", "*.jpeg", "*.jpe", "*.jfif")
DEFAULT_IGNORE = (".*", "*~", "~*", "*.part", "*.tmp", "*.filepart", "*.crdownload", "@eaDir", ".stfolder")


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderConfig:
    """The settings of one inbox; durations in seconds, paths made absolute.

    `include` and `ignore` are shell patterns that are matched against names, in any case: `include` against
    a file's, `ignore` against the file's and each folder's above it. With `create` a missing inbox is made
    (the default one); without, it is waited for: it may be an unmounted disk.
    """

    path: Path
    done: Path
    failed: Path
    recursive: bool = True
    watch: WatchMode = "auto"
    poll_interval: float = 5.0
    settle_time: float = 1.0
    incomplete_timeout: float = 60.0
    rescan_interval: float = 300.0
    include: tuple[str, ...] = DEFAULT_INCLUDE
    ignore: tuple[str, ...] = DEFAULT_IGNORE
    after: After = "move"
    create: bool = False

    def __post_init__(self) -> None:
        for name in ("path", "done", "failed"):
            object.__setattr__(self, name, Path(os.path.abspath(getattr(self, name))))  # noqa: PTH100

    @property
    def claims(self) -> bool:
        """Whether files are claimed; in keep mode nothing is written in the inbox."""
        return self.after != "keep"
