"""Takes a model's files out of a tar archive that nobody has to trust."""

import shutil
import tarfile
import zlib
from collections.abc import Sequence
from lzma import LZMAError
from pathlib import Path, PurePosixPath

from classifyd.operations.models.catalog import CatalogError, ModelFile

_SLACK = 2**24  # bytes of other members (documentation, say) that are read past


def unpack(archive: Path, files: Sequence[ModelFile], folder: Path) -> None:
    """Writes `files` into `folder`, whatever folders the archive has around them, and nothing else.

    Raises CatalogError when the archive cannot be read, lacks one of the files, holds one twice or in
    another size, or holds anything that has no place in a model: an absolute path, `..`, a link, a device.
    """
    missing = {PurePosixPath(file.path).parts: file for file in files}
    room = sum(file.size for file in files) + _SLACK
    try:
        with tarfile.open(archive, "r:*") as tar:
            for member in tar:
                parts = _safe_parts(archive, member)
                room -= member.size
                if room < 0:
                    raise CatalogError(f"{archive.name}: holds far more than the model")
                wanted = next((path for path in missing if parts[-len(path) :] == path), None)
                if member.isfile() and wanted:
                    _write(tar, member, missing.pop(wanted), folder)
    except (tarfile.TarError, EOFError, zlib.error, LZMAError) as error:
        raise CatalogError(f"{archive.name}: not a whole tar archive ({error})") from error
    if missing:
        names = ", ".join(file.path for file in missing.values())
        raise CatalogError(f"{archive.name}: lacks {names}")


def _safe_parts(archive: Path, member: tarfile.TarInfo) -> tuple[str, ...]:
    path = PurePosixPath(member.name)
    if path.is_absolute() or ".." in path.parts or not (member.isfile() or member.isdir()):
        raise CatalogError(
            f"{archive.name}: refused, because {member.name!r} is a link, a device or outside the archive"
        )
    return path.parts


def _write(tar: tarfile.TarFile, member: tarfile.TarInfo, file: ModelFile, folder: Path) -> None:
    content = tar.extractfile(member)
    if content is None or member.size != file.size:
        raise CatalogError(f"{member.name}: {member.size} bytes instead of {file.size}")
    target = folder / file.path
    target.parent.mkdir(parents=True, exist_ok=True)
    with content, target.open("xb") as out:
        shutil.copyfileobj(content, out)
