"""Pickles as Python 2 wrote them: the files of IMDB, Reuters and CIFAR are such."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np

RECONSTRUCT = b"cnumpy.core.multiarray\n_reconstruct\n"


def dumps(value: Any) -> bytes:
    """A pickle of protocol 2: dicts, lists, ints, bytes (strings of Python 2) and arrays."""
    return b"\x80\x02" + _Writer().write(value) + b"."


class _Writer:
    def __init__(self) -> None:
        self._count = 0

    def write(self, value: Any) -> bytes:
        if isinstance(value, bool):
            return b"\x88" if value else b"\x89"
        if isinstance(value, int):
            return self._int(value)
        if isinstance(value, bytes):
            small = len(value) < 256
            head = b"U" + bytes([len(value)]) if small else b"T" + struct.pack("<i", len(value))
            return head + value + self._put()
        if isinstance(value, list):
            return b"]" + self._put() + self._batches(value, b"e")
        if isinstance(value, dict):
            items = [part for item in value.items() for part in item]
            return b"}" + self._put() + self._batches(items, b"u")
        if isinstance(value, np.ndarray):
            return self._array(value)
        raise TypeError(type(value).__name__)

    def _put(self) -> bytes:
        self._count += 1  # Python 2 counts from 1
        count = self._count
        return b"q" + bytes([count]) if count < 256 else b"r" + struct.pack("<i", count)

    def _batches(self, items: list[Any], end: bytes) -> bytes:
        text = b""
        for start in range(0, len(items), 1000):
            text += b"(" + b"".join(map(self.write, items[start : start + 1000])) + end
        return text

    @staticmethod
    def _int(value: int) -> bytes:
        if 0 <= value < 256:
            return b"K" + bytes([value])
        if 0 <= value < 65536:
            return b"M" + struct.pack("<H", value)
        if -(2**31) <= value < 2**31:
            return b"J" + struct.pack("<i", value)
        return b"\x8a\x08" + struct.pack("<q", value)

    def _array(self, array: np.ndarray) -> bytes:
        objects = array.dtype == object
        code = b"O8" if objects else array.dtype.str[1:].encode()
        order = b"|" if objects else array.dtype.str[:1].encode()
        content: Any = list(array) if objects else array.tobytes()
        put = self._put
        shape = b"".join(map(self._int, array.shape)) + (b"\x85" if array.ndim == 1 else b"\x86")
        text = RECONSTRUCT + put() + b"cnumpy\nndarray\n" + put() + b"K\0\x85" + put()
        text += self.write(b"b") + b"\x87" + put() + b"R" + put() + b"(K\1" + shape + put()
        text += b"cnumpy\ndtype\n" + put() + self.write(code) + b"K\0K\1\x87" + put() + b"R" + put()
        flags = b"K?" if objects else b"K\0"
        text += b"(K\3" + self.write(order) + b"NNN" + self._int(-1) * 2 + flags + b"t"
        text += put() + b"b"
        return text + b"\x89" + self.write(content) + b"t" + put() + b"b"
