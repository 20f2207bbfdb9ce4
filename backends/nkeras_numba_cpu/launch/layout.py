"""Where the fields of Python's and NumPy's objects stand, which compiled code reads in place.

    from launch.layout import HEAD, ...      # offsets in bytes
    check()                                  # before any code that uses them runs

No interface promises these places. `check` looks at objects whose values are known, from Python, so
that another layout is an error and not a crash.
"""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np

from nkeras.core.errors import BackendError

# Of any object: where its type stands, which ends the head, and what follows.
HEAD = object.__basicsize__
TYPE = HEAD - 8
# Of an array: its data, number of dimensions, lengths, strides.
DATA, DIMENSIONS, LENGTHS, STRIDES = HEAD, HEAD + 8, HEAD + 16, HEAD + 24


def check() -> None:
    """Compare objects with what stands at these places.

    Raises:
        BackendError: something else stands there.
    """
    if HEAD != 16:
        raise BackendError(f"Python's objects have a head of {HEAD} bytes, where 16 are known.")
    for value in (7, True, 2.5, np.float32(2.5), None, (), np.zeros(1)):
        if _at(value, TYPE, ctypes.c_void_p) != id(type(value)):
            raise BackendError(f"The type of Python's {type(value).__name__} is not at its place.")
    numbers = ((2.5, ctypes.c_double), (np.float64(2.5), ctypes.c_double))
    for value, kind in (*numbers, (np.float32(2.5), ctypes.c_float)):
        if _at(value, HEAD, kind) != 2.5:
            raise BackendError(f"The value of a {type(value).__name__} is not at its place.")
    _check_array(np.zeros((2, 3, 4), np.float32)[:, ::-1])


def _check_array(array: np.ndarray) -> None:
    expected = (array.__array_interface__["data"][0], array.ndim)
    found = (_at(array, DATA, ctypes.c_void_p), _at(array, DIMENSIONS, ctypes.c_int))
    lengths, strides = (_at(array, place, ctypes.c_void_p) for place in (LENGTHS, STRIDES))
    # NumPy keeps both in one piece of memory: two words that say so are addresses.
    is_there = bool(lengths) and strides == lengths + 8 * array.ndim
    if found != expected or not is_there:
        raise BackendError("The fields of NumPy's arrays are not at their places.")
    numbers = ctypes.c_int64 * array.ndim
    for place, values in ((lengths, array.shape), (strides, array.strides)):
        if tuple(numbers.from_address(place)) != values:
            raise BackendError("Lengths and strides of NumPy's arrays are not at their places.")


def _at(value: object, place: int, kind: Any) -> Any:
    """What stands in an object, at a place within its size."""
    if place + ctypes.sizeof(kind) > type(value).__basicsize__:
        return None
    return kind.from_address(id(value) + place).value
