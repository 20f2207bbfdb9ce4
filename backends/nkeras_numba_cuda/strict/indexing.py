"""Indices: what CuPy takes, what of it waits for the device, and where writes meet."""

from __future__ import annotations

from typing import Any

import numpy as np

from nkeras_numba_cuda.counting import note_place


def parts(key: Any) -> tuple[Any, ...]:
    """The index of each dimension."""
    return key if isinstance(key, tuple) else (key,)


def is_basic(key: Any) -> bool:
    """Whether an index gives a view."""
    basic = (int, np.integer, slice, type(None), type(Ellipsis))
    return all(isinstance(part, basic) and not isinstance(part, bool) for part in parts(key))


def with_ellipsis(key: Any) -> tuple[Any, ...]:
    """The index as NumPy wants it for a view even of one element."""
    found = parts(key)
    return found if any(part is Ellipsis for part in found) else (*found, Ellipsis)


def note_transfers(key: Any) -> None:
    """Count what an index costs.

    Arrays and lists of the host are copied to the device by CuPy; how many elements a mask chooses
    must be known, for which it waits.
    """
    for part in parts(key):
        if isinstance(part, (np.ndarray, list)):
            note_place("to_device", "index")
        if _is_mask(part):
            note_place("synchronizations", "boolean mask")


def _is_mask(part: Any) -> bool:
    return hasattr(part, "dtype") and part.dtype.kind == "b" and part.ndim > 0


def refuse_conflicts(array: np.ndarray, index: Any, value: Any) -> None:
    """Which of several writes to one element is last nobody knows on a device.

    Raises:
        ValueError: there are such, with values that differ.
    """
    places = np.arange(array.size).reshape(array.shape)[index].reshape(-1)
    if np.unique(places).size == places.size:
        return
    values = np.broadcast_to(value, array[index].shape).reshape(-1)
    order = np.argsort(places, kind="stable")
    same_place = np.diff(places[order]) == 0
    one, other = values[order][:-1][same_place], values[order][1:][same_place]
    if not np.array_equal(one, other):
        raise ValueError("setitem: an element is written several times, in no order on a device")
