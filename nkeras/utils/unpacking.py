"""What gzip, bzip2 and xz have compressed, as a stream that is read from front to back."""

from __future__ import annotations

import io
from typing import IO, Any

_MOST_MEMORY = 1 << 28  # of a decompressor; xz -9 takes 65 MiB
_CHUNK = 1 << 16


def unpacked(file: IO[bytes]) -> Any:
    """The bytes of a file from its beginning, decompressed if its first bytes say how.

    Raises:
        OSError, EOFError, ValueError: while it is read, if the compressed bytes are damaged.
    """
    file.seek(0)
    start = file.read(6)
    file.seek(0)
    if start[:2] == b"\x1f\x8b":
        import gzip

        return gzip.open(file)
    if start[:3] == b"BZh":
        import bz2

        return bz2.open(file)
    if start == b"\xfd7zXZ\0":
        return io.BufferedReader(_Xz(file))
    return file


class _Xz(io.RawIOBase):
    """As `lzma.open`, but with a limit of memory: a header may ask for 4 GiB."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._decompressor = self._new()

    def readable(self) -> bool:
        """True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read at most so many bytes."""
        import lzma

        while True:
            given = b""
            if self._decompressor.eof:
                given = self._decompressor.unused_data or self._file.read(_CHUNK)
                if not given:
                    return 0
                self._decompressor = self._new()
            elif self._decompressor.needs_input:
                given = self._file.read(_CHUNK)
                if not given:
                    raise EOFError("the compressed bytes end in the middle")
            try:
                data = self._decompressor.decompress(given, len(buffer))
            except lzma.LZMAError as error:
                raise ValueError(f"the compressed bytes are damaged: {error}") from error
            if data:
                buffer[: len(data)] = data
                return len(data)

    @staticmethod
    def _new() -> Any:
        import lzma

        return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_MOST_MEMORY)
