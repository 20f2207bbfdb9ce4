"""Extracting tar and zip archives: nothing but files and folders, and nowhere but inside."""

from __future__ import annotations

import errno
import io
import os
import re
import secrets
import shutil
import zipfile
import zlib
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from stat import S_IFDIR, S_IFMT, S_IFREG
from typing import IO, Any

from nkeras.core.errors import cut_text, is_a, refuse, short
from nkeras.core.files import replacing
from nkeras.utils.tar import is_tar, read_tar
from nkeras.utils.unpacking import unpacked

MOST_MEMBERS = 1_000_000
MOST_OF_A_DIRECTORY = 1 << 26  # bytes of the list at the end of a zip
MOST_FOLDERS_DEEP = 64
MOST_BYTES = 1 << 30  # of what is extracted, plus:
MOST_TIMES = 100  # the bytes of the archive
_CHUNK = 1 << 20
_FORMATS = ("tar", "zip")
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2)
_DAMAGES = (
    ValueError,
    OverflowError,
    OSError,
    EOFError,
    NotImplementedError,
    zipfile.BadZipFile,
    zlib.error,
)
_NOT_ON_WINDOWS = re.compile(
    r'[<>:"|?*\x00-\x1f]|[ .]$|^(con|prn|aux|nul|com\d|lpt\d)(\.|$)', re.IGNORECASE
)


class _Reads(io.BufferedReader):
    """A file that is read in parts: `zipfile` would read a directory of any size at once."""

    def read(self, size: int | None = -1, /) -> bytes:
        """At most so many bytes."""
        if size is not None and size > MOST_OF_A_DIRECTORY:
            raise ValueError(f"its directory has {size} bytes")
        return super().read(size)


@dataclass(frozen=True)
class _Member:
    """A file or a folder in an archive; `read` gives the bytes of a file."""

    parts: tuple[str, ...]
    size: int
    read: Callable[[], IO[bytes]] | None


# Name, size, bytes of a file, and what it is if neither a file nor a folder.
_Found = tuple[str, int, "Callable[[], IO[bytes]] | None", "str | None"]


def as_formats(formats: str | Iterable[str] | None, owner: str) -> tuple[str, ...]:
    """The argument `archive_format`: `"auto"`, `"tar"`, `"zip"`, a list of the two, or None."""
    if formats is None:
        return ()
    found = _FORMATS if is_a(formats, str) and formats == "auto" else formats
    found = (found,) if isinstance(found, str) else found
    if not is_a(found, (list, tuple)) or any(name not in _FORMATS for name in found):
        refuse("archive_format", formats, '"auto", "tar", "zip", None, or a list of these', owner)
    return tuple(found)


def extract_archive(
    path: str | os.PathLike[str], folder: str | os.PathLike[str], formats: Iterable[str] = _FORMATS
) -> None:
    """Make a folder that holds what an archive holds, whole or not at all.

    The archive is extracted into a folder beside it, which gets the name at the end. A folder that
    is there stays: each of its files that is not that of the archive is replaced, once the whole
    archive has been extracted, and files that the archive lacks are left alone.

    Args:
        path: the archive; tar may be compressed by gzip, bzip2 or xz.
        folder: the folder to make; the one that it is in must be there.
        formats: `"tar"`, `"zip"` or both.

    Raises:
        ValueError: the file is no such archive, is damaged, holds a link, a device, a name that
            leaves the folder or stands there twice, or is larger than the limits of this module.
    """
    target = Path(folder)
    if target.is_dir() and _is_extracted(path, target, formats):
        return
    beside = target.with_name(f".{target.name[:100]}.{secrets.token_hex(6)}.tmp")
    beside.mkdir()
    try:
        _extract(path, beside, formats)
        if not _renamed(beside, target):
            _replace_files(beside, target)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _renamed(source: Path, target: Path) -> bool:
    if target.exists():
        return False
    try:
        os.rename(source, target)
    except OSError:
        if target.is_dir():  # another process has made it meanwhile
            return False
        raise
    return True


def _extract(path: str | os.PathLike[str], folder: Path, formats: Iterable[str]) -> None:
    with _members(path, formats) as members:
        for member in members:
            place = folder.joinpath(*member.parts)
            try:
                if member.read is None:
                    place.mkdir(parents=True, exist_ok=True)
                    continue
                place.parent.mkdir(parents=True, exist_ok=True)
                target = open(place, "xb")
            except (FileExistsError, NotADirectoryError) as error:
                raise _refused("/".join(member.parts), "stands there twice") from error
            with target, member.read() as source:
                shutil.copyfileobj(source, target, _CHUNK)
                if target.tell() != member.size:
                    raise _refused("/".join(member.parts), f"lacks some of {member.size} bytes")


def _is_extracted(path: str | os.PathLike[str], folder: Path, formats: Iterable[str]) -> bool:
    """Whether each file of the archive is in the folder, byte for byte."""
    with _members(path, formats) as members:
        return all(_is_same(member, folder) for member in members)


def _is_same(member: _Member, folder: Path) -> bool:
    place = folder.joinpath(*member.parts)
    if member.read is None:
        return place.is_dir()
    if not place.is_file() or place.stat().st_size != member.size:
        return False
    with open(place, "rb") as there, member.read() as source:
        while chunk := source.read(_CHUNK):
            if there.read(len(chunk)) != chunk:
                return False
    return True


def _replace_files(source: Path, folder: Path) -> None:
    root = Path(os.path.realpath(folder))
    for found in sorted(source.rglob("*")):
        place = folder / found.relative_to(source)
        if not Path(os.path.realpath(place)).is_relative_to(root):
            raise ValueError(f"{cut_text(str(place), 200)} is a link that leaves {folder.name!r}")
        if found.is_dir():
            place.mkdir(exist_ok=True)
            continue
        with open(found, "rb") as content, replacing(place) as target:
            shutil.copyfileobj(content, target, _CHUNK)


@contextmanager
def _members(
    path: str | os.PathLike[str], formats: Iterable[str]
) -> Generator[Iterator[_Member], None, None]:
    """What the archive holds, one after the other, each of it checked."""
    names = tuple(formats)
    try:
        with _Reads(io.FileIO(path)) as file:
            if "tar" in names and is_tar(unpacked(file)):
                found = _tar_members(unpacked(file))
            elif "zip" in names and zipfile.is_zipfile(file):
                found = _zip_members(file)
            else:
                raise ValueError(f"it is no archive of the format {' or '.join(names)}")
            yield _checked(found, MOST_BYTES + MOST_TIMES * os.path.getsize(path))
    except _DAMAGES as error:
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise  # the disk's, not the archive's
        text = cut_text(" ".join(str(error).split()), 200)
        raise ValueError(f"Cannot extract {cut_text(os.fspath(path), 150)}: {text}") from error


def _tar_members(stream: IO[bytes]) -> Iterator[_Found]:
    for name, size, part, other in read_tar(stream):
        yield name, size, None if part is None else partial(_same, part), other


def _same(part: Any) -> Any:
    return part


def _zip_members(file: IO[bytes]) -> Iterator[_Found]:
    with zipfile.ZipFile(file) as archive:
        for info in archive.infolist():
            kind = S_IFMT(info.external_attr >> 16)
            other = None
            if info.flag_bits & 1:
                other = "encrypted"
            elif kind not in (0, S_IFREG, S_IFDIR):
                other = "a link or a device"
            elif info.compress_type not in _METHODS:
                other = f"compressed by method {info.compress_type}"
            opened = None if info.is_dir() else partial(archive.open, info)
            yield info.filename, info.file_size, opened, other


def _checked(found: Iterable[_Found], most_bytes: int) -> Iterator[_Member]:
    left = most_bytes
    for count, (name, size, read, other) in enumerate(found, 1):
        left -= size
        if other is not None:
            raise _refused(name, f"is {other}")
        if count > MOST_MEMBERS or left < 0:
            raise ValueError(
                f"it holds more than {MOST_MEMBERS} members or {most_bytes} bytes; if it is meant "
                "to, extract it by hand"
            )
        parts = tuple(part for part in name.split("/") if part not in ("", "."))
        if name.startswith("/") or ".." in parts or "\\" in name or "\0" in name:
            raise _refused(name, "would leave the folder")
        if os.name == "nt" and any(map(_NOT_ON_WINDOWS.search, parts)):
            raise _refused(name, "is no name on Windows")
        if len(parts) > MOST_FOLDERS_DEEP or (read is not None and not parts):
            raise _refused(name, f"has {len(parts)} parts")
        if parts:
            yield _Member(parts, size, read)


def _refused(name: str, why: str) -> ValueError:
    return ValueError(f"{short(name)} in it {why}")
