"""Rows of arrays that lie in files, read when they are wanted: memmaps and HDF5 datasets."""

from __future__ import annotations

import mmap
from typing import Any

import numpy as np

from nkeras.core import config, dtypes

READ_WHOLE = 64 * 2**20
"""Bytes up to which an array of a file is read as a whole, and then is an array like any other."""


class Rows:
    """Some consecutive rows of an array in a file.

    Args:
        source: a memmap, or a dataset of h5py or zarr.
        first: index of the first row there.
        stop: index behind the last row.

    Attributes:
        shape: as of an array.
        dtype: that of the rows as they are given: `floatx` for floats.
        step: how many rows are best read at once, a multiple of the rows of a chunk.
    """

    def __init__(self, source: Any, first: int, stop: int) -> None:
        self._source = source
        self._first = first
        self.shape: tuple[int, ...] = (stop - first, *source.shape[1:])
        self.dtype = _given_dtype(source.dtype)
        self._map = _mapped(source)
        chunks = getattr(source, "chunks", None)
        self.step: int = chunks[0] if isinstance(chunks, tuple) else 1

    @property
    def ndim(self) -> int:
        """As of an array."""
        return len(self.shape)

    @property
    def row_bytes(self) -> int:
        """Bytes of a row in the file."""
        return int(np.prod(self.shape[1:], dtype="int64")) * self._source.dtype.itemsize

    @property
    def nbytes(self) -> int:
        """Bytes of all rows in the file."""
        return self.row_bytes * self.shape[0]

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice) -> Rows:
        """Fewer rows, which are not read yet."""
        start, stop, _ = rows.indices(len(self))
        return Rows(self._source, self._first + start, self._first + max(start, stop))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        result = np.empty(self.shape, self.dtype if dtype is None else dtype)
        self.read_into(result, 0)
        return result

    def announce(self, start: int, stop: int) -> None:
        """Tell the system that these rows are read soon, where they can be told to it."""
        if self._map is None:
            return
        memory, offset = self._map
        begin = offset + (self._first + start) * self.row_bytes
        end = offset + (self._first + stop) * self.row_bytes
        begin -= begin % mmap.PAGESIZE
        if end > begin:
            memory.madvise(mmap.MADV_WILLNEED, begin, end - begin)

    def read_into(self, place: np.ndarray, start: int) -> None:
        """Read rows from `start` on, as many as `place` has.

        Args:
            place: array that takes them, of any dtype that numbers can be made.
            start: index of the first row.
        """
        first = self._first + start
        stop = first + len(place)
        if isinstance(self._source, np.ndarray):
            np.copyto(place, self._source[first:stop], casting="unsafe")
        elif hasattr(self._source, "read_direct") and place.flags.c_contiguous and place.size:
            self._source.read_direct(place, np.s_[first:stop])
        else:
            place[...] = self._source[first:stop]


def rows_in_a_file(value: Any) -> Rows | None:
    """The rows of what is a large array of numbers in a file, or None for everything else."""
    if isinstance(value, Rows):
        rows = value
    elif _is_in_a_file(value) and len(value.shape) > 0 and _are_numbers(value.dtype):
        rows = Rows(value, 0, value.shape[0])
    else:
        return None
    return rows if rows.nbytes > READ_WHOLE else None


def _is_in_a_file(value: Any) -> bool:
    if isinstance(value, np.memmap):
        return getattr(value, "_mmap", None) is not None  # results of arithmetic have none
    return type(value).__module__.partition(".")[0] in ("h5py", "zarr") and hasattr(value, "shape")


def _are_numbers(dtype: Any) -> bool:
    return isinstance(dtype, np.dtype) and (dtype.kind in "biuf" or dtype.name == "bfloat16")


def _given_dtype(dtype: np.dtype) -> np.dtype:
    name = dtypes.standardize(dtype)
    return np.dtype(dtypes.to_numpy(config.floatx() if dtypes.is_floating(name) else name))


def _mapped(source: Any) -> tuple[mmap.mmap, int] | None:
    """The mapping of a memmap's rows, and how many bytes of it come before them."""
    if not isinstance(source, np.memmap) or not source.flags.c_contiguous or not source.size:
        return None
    memory: Any = getattr(source, "_mmap", None)
    if not hasattr(memory, "madvise") or not hasattr(mmap, "MADV_WILLNEED"):  # Windows
        return None
    beginning = np.frombuffer(memory, "uint8", 1).ctypes.data
    return memory, source.ctypes.data - beginning
