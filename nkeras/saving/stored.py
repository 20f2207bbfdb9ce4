"""What files hold: arrays whose shape and dtype are known before their numbers are read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import IO, Any, Protocol

import numpy as np

from nkeras.core.variable import Variable


class Stored(Protocol):
    """An array in a file. The numbers are read when NumPy asks for them.

    Attributes:
        shape: tuple of int.
        dtype: name, such as `"float32"`.
        nbytes: size of the numbers in memory.
    """

    shape: tuple[int, ...]
    dtype: str
    nbytes: int

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """Read the numbers."""
        ...


def numbers_of(value: Any) -> np.ndarray:
    """The numbers of a variable, a tensor or an array, without a copy where they are in memory.

    Whoever gets them only reads them.
    """
    if isinstance(value, Variable):
        return value.frozen()
    return np.asarray(value.numpy() if hasattr(value, "numpy") else value)


def read_into(file: IO[bytes], array: np.ndarray, name: str) -> None:
    """Fill an array with the bytes that follow in a file.

    Raises:
        ValueError: there are too few, although they were there when the file was opened.
    """
    into = array.reshape(-1).view(np.uint8).data
    while into.nbytes:
        count = file.readinto(into)  # type: ignore[attr-defined]
        if not count:
            raise ValueError(f"{name}: the file became shorter while it was read.")
        into = into[count:]


class StoredGroup(Mapping[str, np.ndarray]):
    """The arrays of one layer, by number. `stored(key)` gives one that is not read yet."""

    def __init__(self, arrays: Mapping[str, Stored]) -> None:
        self._arrays = arrays

    def __getitem__(self, key: str) -> np.ndarray:
        return np.asarray(self._arrays[key])

    def __contains__(self, key: object) -> bool:
        return key in self._arrays  # without reading it

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays)

    def __len__(self) -> int:
        return len(self._arrays)

    def stored(self, key: str) -> Stored:
        """The array of a key, not read yet."""
        return self._arrays[key]
