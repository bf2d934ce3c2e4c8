"""Brings a model of the catalog into a folder: fetched, unpacked and checked aside, then moved into place."""

import fcntl
import os
import shutil
import tarfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from lzma import LZMAError
from pathlib import Path

from classifyd.core.errors import ConfigurationError
from classifyd.engines.card import CARD
from classifyd.operations.models.catalog import CatalogError, Download, Entry, ModelFile
from classifyd.operations.models.download import Downloader, Progress
from classifyd.operations.models.unpack import unpack

_MODEL = "model"
_PART = ".part"


def find_faults(entry: Entry, folder: Path) -> list[str]:
    """What is wrong with a model's folder; nothing if it is what the catalog says. Its card may be edited."""
    faults = [fault for file in entry.files if (fault := file.fault(folder))]
    return faults if (folder / CARD).is_file() else [*faults, f"{CARD}: missing"]


def is_there(path: Path) -> bool:
    """Whether there is something at `path`. Raises ConfigurationError when its folder may not be entered."""
    try:
        return path.exists()
    except OSError as error:
        raise ConfigurationError(
            f"{path} cannot be looked at ({error.strerror}): give this user the right to enter its folder,"
            " or name another one"
        ) from error


class Puller:
    """Pulls models into folders of `into`, each under its name.

    `watch` makes, for a download's name, what is told of its progress.
    """

    def __init__(self, into: Path, downloader: Downloader, watch: Callable[[str], Progress]) -> None:
        self._into = into
        self._downloader = downloader
        self._watch = watch

    def pull(self, entry: Entry, offered: Sequence[Path] = ()) -> Path:
        """The folder of the model, complete and checked. What is not among the `offered` files is fetched.

        A folder that is complete already is left as it is. Raises ConfigurationError when something else
        is in the way, or an offered file is none of the model's; CatalogError when the model could not be
        fetched or is not what the catalog says.
        """
        folder = self._into / entry.name
        if is_there(folder):
            if faults := find_faults(entry, folder):
                raise ConfigurationError(
                    f"{folder} exists and is not this model ({faults[0]}); move it away, then pull again"
                )
            return folder
        sources = _assign(entry, offered)
        try:
            with self._staging(entry) as staging:
                model = staging / _MODEL
                for download in entry.downloads:
                    self._bring(download, sources.get(download), staging, model)
                (model / CARD).write_bytes(entry.card.encode())
                _sync(model)
                model.rename(folder)
                shutil.rmtree(staging)
        except OSError as error:
            raise CatalogError(f"{entry.name} cannot be written to {self._into}: {error}") from error
        return folder

    def _bring(self, download: Download, source: Path | None, staging: Path, model: Path) -> None:
        if source is None:
            source = staging / f"{download.name}{_PART}"
            self._downloader.fetch(download.urls, source, download.sizes, self._watch(download.name))
        try:
            if download.archive:
                unpack(source, download.files, model)
            else:
                _install(source, download.files[0], model)
            if faults := [fault for file in download.files if (fault := file.fault(model))]:
                raise CatalogError(
                    f"{source.name.removesuffix(_PART)} is not what the catalog says: {'; '.join(faults)}"
                )
        except CatalogError:
            if source.parent == staging:
                source.unlink()  # or the next pull would take it for what it is to fetch
            raise

    @contextmanager
    def _staging(self, entry: Entry) -> Iterator[Path]:
        """The folder beside the final place where a model is put together, held against other pulls; what
        was fetched stays in it after a failure, what was unpacked does not."""
        staging = self._into / f".{entry.name}.pulling"
        staging.mkdir(parents=True, exist_ok=True)
        with (staging / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise ConfigurationError(f"{entry.name} is being pulled by another process") from error
            shutil.rmtree(staging / _MODEL, ignore_errors=True)
            (staging / _MODEL).mkdir()
            try:
                yield staging
            finally:
                shutil.rmtree(staging / _MODEL, ignore_errors=True)


def _assign(entry: Entry, offered: Sequence[Path]) -> dict[Download, Path]:
    """Which offered file stands for which download: an archive for an archive, else what has its size."""
    sources: dict[Download, Path] = {}
    for path in offered:
        if not (is_there(path) and path.is_file()):
            raise ConfigurationError(f"{path}: no such file")
        is_archive = _is_archive(path)
        fitting = [
            download
            for download in entry.downloads
            if download not in sources
            and (is_archive if download.archive else path.stat().st_size == download.size)
        ]
        if not fitting:
            wanted = ", ".join(
                download.name if download.archive else f"{download.name} ({download.size} bytes)"
                for download in entry.downloads
            )
            raise ConfigurationError(f"{path} is none of the files of {entry.name}: {wanted}")
        sources[fitting[0]] = path
    return sources


def _is_archive(path: Path) -> bool:
    try:
        return tarfile.is_tarfile(path)
    except (OSError, EOFError, zlib.error, LZMAError) as error:
        raise ConfigurationError(
            f"{path} is not whole, or cannot be read ({error}): bring it anew"
        ) from error


def _install(source: Path, file: ModelFile, model: Path) -> None:
    head = file.without.encode()
    target = model / file.path
    target.parent.mkdir(parents=True, exist_ok=True)
    with source.open("rb") as original, target.open("xb") as out:
        if original.read(len(head)) != head:
            raise CatalogError(f"{source.name} does not begin with {file.without!r}, as the catalog says")
        shutil.copyfileobj(original, out)


def _sync(folder: Path) -> None:
    """Has all files on the disk before the folder gets its name: a power cut leaves no empty model behind."""
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
