"""Arrays of NumPy's files, `.npy` and `.npz`, read within limits and without pickle."""

from __future__ import annotations

import math
import os
import re
from pathlib import Path
from typing import IO

import numpy as np

from nkeras.core.errors import short
from nkeras.saving.archive import Archive

_ENDING = ".npy"


def load(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a `.npy` or `.npz` file by name; the one of `.npy` has the name `""`.

    Args:
        path: path of the file.

    Raises:
        ValueError: the file has another ending, is damaged, or has what is no array of numbers.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        if path.suffix == _ENDING:
            return {"": _read(file, path.name)}
        if path.suffix == ".npz":
            archive = Archive(file, path.name)
            return {
                name.removesuffix(_ENDING): _read(archive.open(name), f"{path.name}/{name}")
                for name in archive.names()
            }
    raise ValueError(f"The file must end in .npy or .npz. Received: {short(str(path))}")


def _read(file: IO[bytes], name: str) -> np.ndarray:
    """One array: its head must fit the bytes that are there before it is made."""
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    start = file.read(12)
    version = start[6:8]
    if start[:6] != b"\x93NUMPY" or version not in (b"\1\0", b"\2\0", b"\3\0"):
        raise ValueError(f"{name}: it does not begin as an array of NumPy.")
    begin = 10 if version == b"\1\0" else 12
    length = int.from_bytes(start[8:begin], "little")
    file.seek(begin)
    head = file.read(length) if length <= _MOST_OF_A_HEAD else b""
    match = _HEAD.fullmatch(head)
    if match is None:
        raise ValueError(f"{name}: its head is no head of an array of numbers: {short(head)}")
    shape = tuple(map(int, match[3].replace(b" ", b"").strip(b",").split(b","))) if match[3] else ()
    try:
        dtype = np.dtype(match[1].decode())
    except TypeError:
        raise ValueError(f"{name}: there is no dtype {short(match[1].decode())}.") from None
    needed, held = math.prod(shape) * dtype.itemsize, size - begin - length
    if needed != held:
        raise ValueError(f"{name}: the array needs {needed} bytes, the file has {held}.")
    by_columns = match[2] == b"True"
    array = np.empty(shape[::-1] if by_columns else shape, dtype)
    into = array.reshape(-1).view(np.uint8).data
    while into.nbytes:
        count = file.readinto(into)  # type: ignore[attr-defined]
        if not count:
            raise ValueError(f"{name}: the file became shorter while it was read.")
        into = into[count:]
    return (array.T if by_columns else array).astype(dtype.newbyteorder("="), copy=False)


# The one form that NumPy writes. Its own reader takes what Python's parser takes.
_HEAD = re.compile(
    rb"\{'descr': '([<>|=]?[biufc][0-9]{1,2})', 'fortran_order': (True|False), "
    rb"'shape': \(((?:[0-9]{1,18},? ?){0,32})\),? ?\}\s*"
)
_MOST_OF_A_HEAD = 10_000


def save(file: IO[bytes], path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Write arrays as the ending of the path says: `.npy` takes one, `.npz` any number.

    Args:
        file: file opened for writing bytes.
        path: path of the file, for its ending.
        arrays: arrays by name.

    Raises:
        ValueError: `.npy` cannot take them, or the path has another ending.
    """
    if path.suffix == ".npz":
        if any(array.dtype.hasobject for array in arrays.values()):
            raise ValueError(f"Arrays of objects cannot be written as {short(path.name)}.")
        np.savez(file, **arrays)  # type: ignore[arg-type]
    elif path.suffix == _ENDING and len(arrays) == 1:
        np.save(file, *arrays.values(), allow_pickle=False)
    else:
        raise ValueError(
            f"{len(arrays)} arrays cannot be written as {short(path.name)}: the file must end in "
            f"{'.npy or .npz' if len(arrays) == 1 else '.npz'}."
        )
