"""The catalog of models: what `classifyd models pull` fetches, from where, and what every file must be."""

import hashlib
import tomllib
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PositiveInt,
    ValidationError,
    model_validator,
)

from classifyd.core.errors import ClassifydError, ConfigurationError

_CHUNK = 2**20
_FRAME = 2**20


class CatalogError(ClassifydError):
    """A model could not be fetched, or is not what the catalog says."""


def _inside(path: str) -> str:
    if not path or path.startswith("/") or ".." in PurePosixPath(path).parts:
        raise ValueError(f"{path!r} does not lie inside the model's folder")
    return path


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ModelFile(_Table):
    """A file of a model: its path in the model's folder, its size in bytes and one checksum.

    `without` is text that the original begins with and the installed file lacks; size and checksum are the
    original's.
    """

    path: Annotated[str, AfterValidator(_inside)]
    size: PositiveInt
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    git_sha1: Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")] | None = None
    without: str = ""

    @model_validator(mode="after")
    def _has_one_checksum(self) -> Self:
        if (self.sha256 is None) == (self.git_sha1 is None):
            raise ValueError("a file has either sha256 or git_sha1")
        return self

    def fault(self, folder: Path) -> str | None:
        """What is wrong with this file as it lies in a model's folder, or None."""
        # Git's id of a file: SHA-1 of "blob", the size and the content (Pro Git, section 10.2).
        checksum = hashlib.sha256() if self.sha256 else hashlib.sha1(b"blob %d\0" % self.size)
        size = len(self.without.encode())
        checksum.update(self.without.encode())
        try:
            with (folder / self.path).open("rb") as file:
                while chunk := file.read(_CHUNK):
                    size += len(chunk)
                    checksum.update(chunk)
        except OSError as error:
            return f"{self.path}: cannot be read ({error.strerror})"
        if size != self.size:
            return f"{self.path}: {size} bytes instead of {self.size}"
        if checksum.hexdigest() != (self.sha256 or self.git_sha1):
            return f"{self.path}: checksum {checksum.hexdigest()} instead of {self.sha256 or self.git_sha1}"
        return None


class Download(_Table):
    """Something to fetch: a tar archive that holds files, or a single file. `urls` are tried in order."""

    urls: Annotated[tuple[str, ...], Field(min_length=1)]
    archive: bool = False
    files: Annotated[tuple[ModelFile, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _is_single_or_archive(self) -> Self:
        if not self.archive and len(self.files) > 1:
            raise ValueError("a download that is no archive holds one file")
        return self

    @property
    def name(self) -> str:
        """The last part of its first address."""
        return PurePosixPath(urlsplit(self.urls[0]).path).name

    @property
    def size(self) -> int:
        """Of its files together, in bytes."""
        return sum(file.size for file in self.files)

    @property
    def sizes(self) -> range:
        """How many bytes may arrive: an archive is packed, and has a frame of its own."""
        return range(1, self.size + _FRAME) if self.archive else range(self.size, self.size + 1)


class Entry(_Table):
    """A model of the catalog; `card` is the text of its model card."""

    name: str
    engine: Literal["onnx", "tfserving"]
    title: str
    card: str
    downloads: Annotated[tuple[Download, ...], Field(min_length=1)]

    @property
    def size(self) -> int:
        """Of all downloads, in bytes."""
        return sum(download.size for download in self.downloads)

    @property
    def files(self) -> tuple[ModelFile, ...]:
        return tuple(file for download in self.downloads for file in download.files)


class Catalog:
    """The models that can be pulled, by name."""

    def __init__(self, entries: tuple[Entry, ...]) -> None:
        self.entries = entries

    @classmethod
    def read(cls, path: Path) -> Self:
        """The catalog of a TOML file. Raises ConfigurationError naming the file and the fault."""
        try:
            tables = tomllib.loads(path.read_text("utf-8"))
            return cls(tuple(Entry.model_validate({"name": name, **table}) for name, table in tables.items()))
        except OSError as error:
            raise ConfigurationError(f"catalog {path}: cannot be read ({error.strerror})") from error
        except ValidationError as error:
            fault = error.errors(include_url=False)[0]
            key = ".".join(str(part) for part in fault["loc"])
            raise ConfigurationError(f"catalog {path}: {error.title} {key}: {fault['msg']}") from error
        except (ValueError, TypeError) as error:
            raise ConfigurationError(f"catalog {path}: {error}") from error

    def entry(self, name: str) -> Entry:
        """The entry of this name. Raises ConfigurationError that lists the names there are."""
        for entry in self.entries:
            if entry.name == name:
                return entry
        known = ", ".join(entry.name for entry in self.entries)
        raise ConfigurationError(f"the catalog has no model {name!r}; it has {known}")
