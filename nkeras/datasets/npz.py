"""Arrays of an `.npz` file: checked before they are made, and without pickle's machinery."""

from __future__ import annotations

import io
import math
import os
import zipfile
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from nkeras.core.errors import cut_text, short
from nkeras.datasets.pickles import read_pickle

MOST_BYTES = 1 << 28  # of one array; MNIST has 47 MB
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
    stream = io.BytesIO(data)
    version = np.lib.format.read_magic(stream)
    if version == (1, 0):
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(stream)
    elif version in ((2, 0), (3, 0)):  # 3.0 is 2.0 with names of fields in UTF-8
        shape, fortran, dtype = np.lib.format.read_array_header_2_0(stream)
    else:
        raise ValueError(f"version {version} of the format is unknown")
    content = data[stream.tell() :]
    if dtype == np.dtype(object):
        found = read_pickle(content)
        if not isinstance(found, np.ndarray) or found.shape != shape or found.dtype != dtype:
            raise ValueError("the pickle holds another array than the head says")
        return found
    if dtype.kind not in "biuf" or dtype.shape:
        raise ValueError(f"dtype {short(dtype, 60)} is not read")
    if min(shape, default=0) < 0 or len(content) != math.prod(shape) * dtype.itemsize:
        raise ValueError(f"{len(content)} bytes are no array of shape {short(shape, 60)}")
    array = np.frombuffer(content, dtype).reshape(shape, order="F" if fortran else "C")
    return array.astype(dtype.newbyteorder("="), order="C")
