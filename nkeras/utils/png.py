"""PNG files, without a package."""

from __future__ import annotations

import struct
import zlib

import numpy as np

_COLOR_TYPES = {1: 0, 3: 2, 4: 6}  # by channels


def png(image: np.ndarray) -> bytes:
    """An image `(height, width, 1, 3 or 4 channels)` of uint8 as PNG file.

    Example:
        >>> png(np.zeros((2, 2, 3), "uint8"))[1:4]
        b'PNG'
    """
    height, width, channels = image.shape
    head = struct.pack(">IIBBBBB", width, height, 8, _COLOR_TYPES[channels], 0, 0, 0)
    rows = np.zeros((height, 1 + width * channels), np.uint8)  # each begins with its filter: none
    rows[:, 1:] = image.reshape(height, width * channels)
    body = zlib.compress(rows.tobytes())
    return (
        b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) + _chunk(b"IDAT", body) + _chunk(b"IEND", b"")
    )


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
