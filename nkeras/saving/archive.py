"""The zip archive of a `.keras` file: members by name, with limits, and nothing unpacked."""

from __future__ import annotations

import io
import os
import shutil
import time
import zipfile
import zlib
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import partial
from threading import Thread
from typing import IO, Any

from nkeras.core.errors import short

_MAX_MEMBERS = 100_000
_MAX_EXPANSION = 100
_SMALL = 1 << 26
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_CHUNK = 1 << 23  # much at a time: a thread of Python waits a while for its turn between two


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
        if member.compress_type == zipfile.ZIP_STORED and member.file_size != member.compress_size:
            raise self._refuse(member, "is not packed, and has two sizes")
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
        file, check = self._opened(member)
        check()
        return file

    @contextmanager
    def checking(self, member: str) -> Generator[tuple[IO[bytes], Callable[[], None]], None, None]:
        """As `open`, but the bytes are compared with their checksum while one goes on.

        Args:
            member: its name.

        Yields:
            The file, and a function that waits for the result, and raises the error. It must be
            called before anything of the file counts.

        Raises:
            ValueError: there is none, or its header is damaged.
        """
        file, check = self._opened(member)
        if not _can_read_beside(self._file):
            check()
            yield file, lambda: None
            return
        checking = Beside(check)
        try:
            yield file, checking.wait
        except ValueError:
            checking.wait()  # damage is the better reason
            raise
        finally:
            checking.end()

    def _opened(self, member: str) -> tuple[IO[bytes], Callable[[], None]]:
        """A member as a file, and what compares it with its checksum."""
        info = self._info(member)
        if info.compress_type != zipfile.ZIP_STORED:
            return io.BytesIO(self.read(member, info.file_size)), lambda: None
        try:
            self._zip.open(info).close()  # it checks the header
            start = self._offset(info)
        except (zipfile.BadZipFile, EOFError, OSError, ValueError) as error:
            raise self._refuse(info, f"is damaged ({short(error)})") from None

        def check() -> None:
            try:
                checksum = _checksum(self._file, start, info.file_size)
            except (OSError, ValueError) as error:
                raise self._refuse(info, f"is damaged ({short(error)})") from None
            if checksum != info.CRC:
                raise self._refuse(info, "is damaged (its checksum is another one)")

        return _Part(self._file, start, info.file_size), check  # type: ignore[return-value]

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


class Beside:
    """Something that a thread does while one goes on.

    Args:
        do: what it does; mostly outside of Python.
    """

    def __init__(self, do: Callable[[], object]) -> None:
        self._do = do
        self._error: BaseException | None = None
        self._thread = Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._do()
        except BaseException as error:  # raised where one waits
            self._error = error

    def end(self) -> None:
        """Wait for its end."""
        self._thread.join()

    def wait(self) -> None:
        """Wait for its end, and raise the error that it met."""
        self.end()
        if self._error is not None:
            raise self._error


class _Part(io.RawIOBase):
    """A part of a file as a file; one that is written has no size, and ends where that does."""

    def __init__(self, file: IO[bytes], start: int, size: int | None) -> None:
        self._file = file
        self._start = start
        self._size = size
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def writable(self) -> bool:
        return self._size is None

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = 0
        if whence == os.SEEK_CUR:
            base = self._position
        elif whence == os.SEEK_END:
            size = self._size
            base = self._file.seek(0, os.SEEK_END) - self._start if size is None else size
        self._position = max(0, base + offset)
        return self._position

    def tell(self) -> int:
        return self._position

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        count = len(view)
        if self._size is not None:
            count = max(0, min(count, self._size - self._position))
        self._file.seek(self._start + self._position)
        read = self._file.readinto(view[:count])  # type: ignore[attr-defined]
        self._position += read
        return read

    def write(self, buffer: Any) -> int:
        self._file.seek(self._start + self._position)
        written = self._file.write(buffer)
        self._position += written
        return written

    def truncate(self, size: int | None = None) -> int:
        size = self._position if size is None else size
        self._file.truncate(self._start + size)
        return size

    def flush(self) -> None:
        if not self._file.closed:  # a part may be thrown away after its file (closing flushes)
            self._file.flush()


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


@contextmanager
def written_in_place(archive: zipfile.ZipFile, member: str) -> Generator[IO[bytes], None, None]:
    """A file that is a member of an archive which is written: in it one can seek and read.

    Args:
        archive: the archive, of which something was written; its own file must be readable.
        member: name in it.

    Yields:
        The member; it ends where the file does at the end of the block.
    """
    file = archive.fp
    assert file is not None
    info = zipfile.ZipInfo(member, time.localtime()[:6])
    info.external_attr = 0o600 << 16
    info.header_offset, info.CRC = archive.start_dir, 0
    file.seek(info.header_offset)
    file.write(info.FileHeader(zip64=True))
    start = file.tell()
    yield _Part(file, start, None)  # type: ignore[misc]
    end = file.seek(0, os.SEEK_END)
    file.flush()
    # The disk has the longest part, so it begins now; the end of the file is its only rest then.
    reaching = Beside(partial(_reach_disk, file))
    info.file_size = info.compress_size = end - start
    try:
        info.CRC = _checksum(file, start, end - start)
    finally:
        reaching.end()
    reaching.wait()
    file.seek(info.header_offset)
    file.write(info.FileHeader(zip64=True))
    archive.filelist.append(info)
    archive.NameToInfo[member] = info
    archive.start_dir = end


def _reach_disk(file: IO[bytes]) -> None:
    number = _descriptor(file)
    if number is not None:
        os.fsync(number)


def _descriptor(file: IO[bytes]) -> int | None:
    """That of a file of the system; None for one in memory."""
    try:
        return file.fileno()
    except (OSError, AttributeError):
        return None


def _can_read_beside(file: IO[bytes]) -> bool:
    """Whether the system can read at a place without moving the position in the file."""
    return hasattr(os, "preadv") and _descriptor(file) is not None


def _checksum(file: IO[bytes], start: int, size: int) -> int:
    """That of so many bytes of a file, or of those that there are.

    The position in the file stays as it is, where the system can read so, for others to use.
    """
    number = _descriptor(file) if _can_read_beside(file) else None
    found, chunk = 0, memoryview(bytearray(min(size, _CHUNK)))
    while size:
        into = chunk[: min(size, _CHUNK)]
        if number is not None:
            count = os.preadv(number, [into], start)
        else:
            file.seek(start)
            count = file.readinto(into)  # type: ignore[attr-defined]
        if not count:
            break
        found = zlib.crc32(into[:count], found)
        start, size = start + count, size - count
    return found
