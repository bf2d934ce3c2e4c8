import errno
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from classifyd.core.errors import ConfigurationError
from classifyd.sources.folder import FolderConfig, check_folders, ensure_folders, people


@pytest.fixture
def config(tmp_path: Path) -> FolderConfig:
    (tmp_path / "inbox").mkdir()
    return FolderConfig(path=tmp_path / "inbox", done=tmp_path / "d" / "done", failed=tmp_path / "failed")


def test_good_folders_have_no_problems_and_nothing_is_left_in_them(config: FolderConfig) -> None:
    assert check_folders(config) == []
    ensure_folders(config)
    assert [path.name for path in config.path.rglob("*")] == [".classifyd"]
    assert list(config.done.iterdir()) == []


def test_what_a_killed_process_left_of_its_check_is_removed_and_another_ones_is_not(
    config: FolderConfig,
) -> None:
    assert check_folders(config) == []
    folders = (config.path, config.path / ".classifyd", config.done, config.failed)
    for folder in folders:
        for name, age in (("old", 120), ("new.moved", 0)):
            probe = folder / f".classifyd-check-{name}"
            probe.touch()
            os.utime(probe, (time.time() - age,) * 2)
    assert check_folders(config) == []
    for folder in folders:
        assert [path.name for path in folder.glob(".classifyd-*")] == [".classifyd-check-new.moved"]


def test_keep_mode_writes_nothing(config: FolderConfig) -> None:
    assert check_folders(replace(config, after="keep")) == []
    assert list(config.path.iterdir()) == []
    assert not config.done.exists()


def test_delete_mode_needs_no_done(config: FolderConfig) -> None:
    assert check_folders(replace(config, after="delete")) == []
    assert not config.done.exists()
    assert config.failed.exists()


def test_a_configured_inbox_that_is_missing_is_waited_for_and_the_default_one_made(
    config: FolderConfig,
) -> None:
    config.path.rmdir()
    assert check_folders(config) == []
    assert not config.path.exists()
    assert check_folders(replace(config, create=True)) == []
    assert config.path.is_dir()


def test_a_file_in_place_of_a_folder_is_named(config: FolderConfig) -> None:
    config.path.rmdir()
    config.path.touch()
    config.failed.touch()
    inbox, failed = check_folders(config)
    assert inbox == f"inbox {config.path} is not a folder: name a folder in inbox.path"
    assert failed.startswith(f"inbox.failed {config.failed} cannot be written: a file lies where")


@pytest.mark.parametrize("name", ["done", "failed"])
@pytest.mark.parametrize("place", [".", ".classifyd", ".classifyd/x"])
def test_done_and_failed_may_not_be_the_inbox_or_the_daemons_own_folder(
    config: FolderConfig, name: str, place: str
) -> None:
    problems = check_folders(replace(config, **{name: config.path / place}))  # type: ignore[arg-type]
    assert any(f"inbox.{name}" in problem and "choose another folder" in problem for problem in problems)


@pytest.mark.parametrize(
    ("code", "words"),
    [(errno.EROFS, "mount it writable"), (errno.EACCES, "owner or mode"), (errno.EIO, "Input/output error")],
)
def test_an_inbox_that_cannot_be_renamed_in_is_explained_in_one_line(
    config: FolderConfig, monkeypatch: pytest.MonkeyPatch, code: int, words: str
) -> None:
    def rename(self: Path, _target: Any) -> None:
        raise OSError(code, os.strerror(code), str(self))

    monkeypatch.setattr(Path, "rename", rename)
    with pytest.raises(ConfigurationError) as refused:
        ensure_folders(config)
    message = str(refused.value)
    assert words in message
    assert "\n" not in message
    assert f"inbox {config.path} cannot be used" in message
    assert ('or set inbox.after = "keep"' in message) == (code != errno.EIO)
    assert [path.name for path in config.path.rglob("*")] == [".classifyd"], "what was tried is removed"


def test_an_unreadable_inbox_is_explained(config: FolderConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    def scandir(path: Any) -> Any:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(os, "scandir", scandir)
    (problem,) = [line for line in check_folders(config) if line.startswith("inbox ")]
    assert people.current_user() in problem


@pytest.mark.parametrize("create", [True, False])
@pytest.mark.parametrize("code", [errno.ESTALE, errno.EIO, errno.ENOTCONN, errno.EACCES])
def test_an_inbox_that_cannot_be_looked_at_is_explained_in_one_line(
    config: FolderConfig, monkeypatch: pytest.MonkeyPatch, code: int, create: bool
) -> None:
    def refuse(path: Any, *_args: Any, **_kwargs: Any) -> Any:
        raise OSError(code, os.strerror(code), str(path))

    with monkeypatch.context() as broken:
        broken.setattr(os, "stat", refuse)
        with pytest.raises(ConfigurationError, match=f"^inbox {config.path} cannot be used: [^\\n]+$"):
            ensure_folders(replace(config, create=create, after="keep"))


def test_a_user_without_a_name_is_a_number() -> None:
    assert people.user_name(os.geteuid()) == people.current_user()
    assert people.user_name(987654321) == "987654321"


def test_relative_paths_become_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    config = FolderConfig(path=Path("in/../box"), done=Path("done"), failed=Path("failed"))
    assert config.path == tmp_path / "box"
