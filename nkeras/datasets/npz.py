"""Arrays of an `.npz` file: checked before they are made, and without pickle's machinery."""

from __future__ import annotations

import math
import os
import re
import zipfile
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from nkeras.core.errors import cut_text, short
from nkeras.datasets.pickles import read_pickle

MOST_BYTES = 1 << 28  # of one array; MNIST has 47 MB
_MOST_OF_A_HEAD = 10_000
_HEAD = re.compile(
    rb"\{'descr': '([<>|=]?[a-zA-Z][0-9]?)', 'fortran_order': (True|False), "
    rb"'shape': \(((?:[0-9]{1,18}L?,? ?){0,4})\),? ?\}\s*"
)
_DAMAGES = (
    ValueError,
    OverflowError,
    EOFError,
    OSError,  # a place before the beginning of the file
    NotImplementedError,
    zipfile.BadZipFile,
    zlib.error,
)
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


def read_npz(path: str | os.PathLike[str], names: Sequence[str]) -> list[npt.NDArray[Any]]:
    """Read arrays of numbers, or of lists of numbers, by name.

    Args:
        path: the file.
        names: names of the arrays.

    Returns:
        The arrays, each of them new.

    Raises:
        ValueError: the file is no zip, lacks an array, or an array is damaged or of another kind.
    """
    name = ""
    try:
        with zipfile.ZipFile(path) as archive:
            found: list[npt.NDArray[Any]] = []
            for name in names:
                found.append(_array(_member(archive, f"{name}.npy")))
            return found
    except FileNotFoundError:
        raise
    except _DAMAGES as error:
        part = f", array {name!r}" if name else ""
        text = cut_text(" ".join(str(error).split()), 200)
        raise ValueError(f"{cut_text(os.fspath(path), 150)}{part}: {text}") from error


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    found = [info for info in archive.infolist() if info.filename == name]
    if len(found) != 1:
        raise ValueError(f"there are {len(found)} files {name}")
    info = found[0]
    if info.flag_bits & 1 or info.compress_type not in _METHODS or info.file_size > MOST_BYTES:
        raise ValueError(
            f"{info.file_size} bytes, compressed by method {info.compress_type}, are not read"
        )
    return archive.read(info)


def _array(data: bytes) -> npt.NDArray[Any]:
    descr, fortran, shape, content = _head(data)
    if descr.lstrip("|").startswith("O"):
        found = read_pickle(content)
        if not isinstance(found, np.ndarray) or found.shape != shape or found.dtype != object:
            raise ValueError("the pickle holds another array than the head says")
        return found
    if not re.fullmatch("[<>|=]?[biuf][1248]", descr) or descr[-2:] in ("b2", "b4", "b8", "f1"):
        raise ValueError(f"dtype {short(descr, 60)} is not read")
    dtype = np.dtype(descr)
    if len(content) != math.prod(shape) * dtype.itemsize:
        raise ValueError(f"{len(content)} bytes are no array of shape {short(shape, 60)}")
    array = np.frombuffer(content, dtype).reshape(shape, order="F" if fortran else "C")
    return array.astype(dtype.newbyteorder("="), order="C")


def _head(data: bytes) -> tuple[str, bool, tuple[int, ...], bytes]:
    """Code of the dtype, whether columns come first, the shape, and the bytes after the head.

    NumPy's own reader takes whatever Python's parser takes; this is the one form that it writes.
    """
    version = data[6:8]
    if data[:6] != b"\x93NUMPY" or version not in (b"\1\0", b"\2\0", b"\3\0"):
        raise ValueError("it does not begin as an array of NumPy")
    start = 10 if version == b"\1\0" else 12
    end = start + int.from_bytes(data[8:start], "little")
    match = (
        _HEAD.fullmatch(data, start, end)
        if end <= min(len(data), start + _MOST_OF_A_HEAD)
        else None
    )
    if match is None:
        raise ValueError(f"its head cannot be read: {short(data[start : start + 60], 80)}")
    shape = tuple(map(int, re.findall(b"[0-9]+", match[3])))
    return match[1].decode("ascii"), match[2] == b"True", shape, data[end:]
