"""The zip archive of a `.keras` file: members by name, with limits, and nothing unpacked."""

from __future__ import annotations

import io
import os
import shutil
import zipfile
import zlib
from typing import IO, Any

from nkeras.core.errors import short

_MAX_MEMBERS = 100_000
_MAX_EXPANSION = 100
_SMALL = 1 << 26
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_CHUNK = 1 << 20


class Archive:
    """A zip archive for reading.

    Args:
        file: an open file.
        name: of the file, for messages.

    Raises:
        ValueError: it is damaged, or has members that no model file has.
    """

    def __init__(self, file: IO[bytes], name: str) -> None:
        self.name = name
        self._file = file
        try:
            self._zip = zipfile.ZipFile(file)
            members = self._zip.infolist()
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
            raise ValueError(f"{name}: it is no zip archive, or a damaged one: {error}") from None
        if len(members) > _MAX_MEMBERS:
            raise ValueError(f"{name}: the archive has {len(members)} members.")
        self._members: dict[str, zipfile.ZipInfo] = {}
        for member in members:
            self._check(member)
            if member.filename in self._members:
                raise self._refuse(member, "is there twice")
            self._members[member.filename] = member

    def __contains__(self, member: str) -> bool:
        return member in self._members

    def names(self) -> list[str]:
        """The names of the members."""
        return list(self._members)

    def _refuse(self, member: zipfile.ZipInfo, what: str) -> ValueError:
        return ValueError(f"{self.name}: the member {short(member.filename)} {what}.")

    def _check(self, member: zipfile.ZipInfo) -> None:
        name = member.filename
        if (
            name.startswith(("/", "\\"))
            or ":" in name
            or ".." in name.replace("\\", "/").split("/")
        ):
            raise self._refuse(member, "has a name that leads out of the archive")
        if member.flag_bits & 0x1:
            raise self._refuse(member, "is encrypted")
        if member.compress_type not in _METHODS:
            raise self._refuse(member, f"is packed by the method {member.compress_type}")
        if (member.external_attr >> 16) & 0o170000 == 0o120000:
            raise self._refuse(member, "is a link")
        if member.file_size > max(_SMALL, _MAX_EXPANSION * member.compress_size):
            raise self._refuse(
                member,
                f"claims to be {member.file_size} bytes, packed into {member.compress_size}",
            )

    def read(self, member: str, largest: int) -> bytes:
        """A whole member.

        Args:
            member: its name.
            largest: bytes that it may have.

        Raises:
            ValueError: there is none, it is larger or damaged.
        """
        info = self._info(member)
        if info.file_size > largest:
            raise self._refuse(info, f"has {info.file_size} bytes, over {largest}")
        try:
            return self._zip.read(info)
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError) as error:
            raise self._refuse(info, f"is damaged ({short(error)})") from None

    def open(self, member: str) -> IO[bytes]:
        """A member as a file in which one can seek, read in pieces where it is not packed.

        Raises:
            ValueError: there is none, or it is damaged.
        """
        info = self._info(member)
        if info.compress_type != zipfile.ZIP_STORED:
            return io.BytesIO(self.read(member, info.file_size))
        try:
            with self._zip.open(info) as opened:
                checksum = 0
                while chunk := opened.read(_CHUNK):
                    checksum = zlib.crc32(chunk, checksum)
        except (zipfile.BadZipFile, EOFError, OSError, ValueError) as error:
            raise self._refuse(info, f"is damaged ({short(error)})") from None
        return io.BufferedReader(_Part(self._file, self._offset(info), info.file_size))

    def _offset(self, info: zipfile.ZipInfo) -> int:
        """Where the bytes of an unpacked member begin: behind its header, which was checked."""
        self._file.seek(info.header_offset + 26)
        lengths = self._file.read(4)
        return (
            info.header_offset
            + 30
            + int.from_bytes(lengths[:2], "little")
            + int.from_bytes(lengths[2:], "little")
        )

    def _info(self, member: str) -> zipfile.ZipInfo:
        if member not in self._members:
            raise ValueError(
                f"{self.name}: the archive has no member {member!r}, only {short(self.names())}."
            )
        return self._members[member]


class _Part(io.RawIOBase):
    """A part of a file, as a file."""

    def __init__(self, file: IO[bytes], start: int, size: int) -> None:
        self._file = file
        self._start = start
        self._size = size
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        self._position = max(0, base + offset)
        return self._position

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        count = max(0, min(len(view), self._size - self._position))
        self._file.seek(self._start + self._position)
        read = self._file.readinto(view[:count])  # type: ignore[attr-defined]
        self._position += read
        return read


def add(archive: zipfile.ZipFile, member: str, file: IO[bytes]) -> None:
    """Put a file into an archive that is written.

    Args:
        archive: the archive.
        member: name in it.
        file: open file; its whole content is taken.
    """
    file.seek(0)
    with archive.open(member, "w", force_zip64=True) as target:
        shutil.copyfileobj(file, target, _CHUNK)
