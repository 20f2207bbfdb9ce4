"""Reading tar archives from front to back, whatever they say.

`tarfile` reads headers of any size into memory, follows chains of them by recursion, and takes a
damaged header for the end of the archive. Here each header is at most `MOST_OF_A_NAME` bytes, and
what is not understood is an error.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from typing import IO, Any

from nkeras.core.errors import short

MOST_OF_A_NAME = 1 << 20  # bytes of a header that holds a long name
_MOST_AFTER_THE_END = 1 << 24
_BLOCK = 512
_FILES, _FOLDER = (b"0", b"\0", b"7"), b"5"
_LONG_NAME, _LONG_LINK, _EXTENDED, _GLOBAL = b"L", b"K", b"x", b"g"
_OTHERS = {b"1": "a link", b"2": "a link", b"3": "a device", b"4": "a device", b"6": "a pipe"}


class TarError(ValueError):
    """A tar archive is damaged."""


class Part(io.RawIOBase):
    """The bytes of one file of the archive, as a file."""

    def __init__(self, stream: IO[bytes], size: int) -> None:
        self._stream = stream
        self.left = size

    def readable(self) -> bool:
        """True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read at most so many bytes."""
        wanted = min(len(buffer), self.left)
        data = self._stream.read(wanted) if wanted else b""
        if wanted and not data:
            raise TarError(f"it ends {self.left} bytes before the end of a file")
        buffer[: len(data)] = data
        self.left -= len(data)
        return len(data)


def is_tar(stream: IO[bytes]) -> bool:
    """Whether a stream begins with a header."""
    block = stream.read(_BLOCK)
    return len(block) == _BLOCK and _is_header(block)


def read_tar(stream: IO[bytes]) -> Iterator[tuple[str, int, Part | None, str | None]]:
    """The members of an archive, each of which is read before the next one.

    Args:
        stream: the archive, not compressed.

    Yields:
        Name, size in bytes, the bytes (None of what is no file), and what it is if neither a file
        nor a folder.

    Raises:
        TarError: the archive is damaged.
    """
    name, size = None, None
    while (block := _read(stream, _BLOCK, whole=False)) and any(block):
        if not _is_header(block):
            raise TarError("a header has another sum than it says")
        kind, length = block[156:157], _number(block[124:136])
        if kind in (_LONG_NAME, _LONG_LINK, _EXTENDED, _GLOBAL):
            text = _header(stream, length)
            if kind == _LONG_NAME:
                name = text.rstrip(b"\0")
            elif kind == _EXTENDED:
                records = _records(text)
                if any(key.startswith(b"GNU.sparse") for key in records):
                    raise TarError("it has a file with holes (sparse)")
                name = records.get(b"path", name)
                size = _decimal(records[b"size"]) if b"size" in records else size
            continue
        name = _name(block) if name is None else name
        length = length if size is None else size
        yield from _member(stream, name, length, kind)
        name, size = None, None
    _drain(stream)


def _member(
    stream: IO[bytes], name: bytes, length: int, kind: bytes
) -> Iterator[tuple[str, int, Part | None, str | None]]:
    text = name.decode("utf-8", "surrogateescape")
    if kind == _FOLDER or (kind in _FILES and text.endswith("/")):
        yield text, 0, None, None
    elif kind in _FILES:
        part = Part(stream, length)
        yield text, length, part, None
        _skip(stream, part.left + -length % _BLOCK)
    else:
        yield text, 0, None, _OTHERS.get(kind, f"of the unknown type {short(kind, 20)}")


def _read(stream: IO[bytes], size: int, whole: bool = True) -> bytes:
    data = b""
    while len(data) < size and (more := stream.read(size - len(data))):
        data += more
    if len(data) < size and (whole or data):
        raise TarError("it ends in the middle")
    return data


def _skip(stream: IO[bytes], size: int) -> None:
    while size:
        size -= len(_read(stream, min(size, 1 << 16)))


def _drain(stream: IO[bytes]) -> None:
    """To the end, where the sum of the compressed bytes is; some zeros are before it."""
    left = _MOST_AFTER_THE_END
    while data := stream.read(1 << 16):
        left -= len(data)
        if left < 0:
            raise TarError("it goes on after its end")


def _header(stream: IO[bytes], size: int) -> bytes:
    if size > MOST_OF_A_NAME:
        raise TarError(f"a header has {size} bytes")
    return _read(stream, size + -size % _BLOCK)[:size]


def _is_header(block: bytes) -> bool:
    said = block[148:156].strip(b" \0")
    if not re.fullmatch(b"[0-7]+", said):
        return False
    return int(said, 8) == sum(block) - sum(block[148:156]) + 8 * ord(" ")


def _name(block: bytes) -> bytes:
    name = block[:100].partition(b"\0")[0]
    prefix = block[345:500].partition(b"\0")[0]
    return prefix + b"/" + name if prefix and block[257:263] == b"ustar\0" else name


def _number(field: bytes) -> int:
    """Octal digits, or, for large ones, the bit 128 and big-endian bytes."""
    if field[0] == 0x80:
        return int.from_bytes(field[1:], "big")
    digits = field.strip(b" \0")
    if not re.fullmatch(b"[0-7]*", digits):
        raise TarError(f"a size is {short(field, 40)}")
    return int(digits or b"0", 8)


def _decimal(digits: bytes) -> int:
    if not re.fullmatch(b"[0-9]{1,18}", digits):
        raise TarError(f"a size is {short(digits, 40)}")
    return int(digits)


def _records(text: bytes) -> dict[bytes, bytes]:
    """Lines `length key=value` of an extended header; the length counts the whole line."""
    found: dict[bytes, bytes] = {}
    at = 0
    while at < len(text):
        match = re.compile(rb"([0-9]{1,9}) ([^=]+)=").match(text, at)
        end = at + int(match[1]) if match else 0
        if not match or not match.end() < end <= len(text) or text[end - 1 : end] != b"\n":
            raise TarError("an extended header cannot be read")
        found[match[2]] = text[match.end() : end - 1]
        at = end
    return found
