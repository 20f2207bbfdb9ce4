"""Shape, layout and dtype changes: NumPy's own, since a compiled loop would copy no faster."""

from __future__ import annotations

import builtins
from typing import Any

import ml_dtypes  # noqa: F401  makes "bfloat16" a dtype name that NumPy knows
import numpy as np

Index = tuple[tuple[int, int | None, int], ...]


def reshape(x: np.ndarray, *, shape: tuple[int, ...]) -> np.ndarray:
    return np.reshape(x, shape)


def transpose(x: np.ndarray, *, axes: tuple[int, ...]) -> np.ndarray:
    return np.transpose(x, axes)


def broadcast_to(x: np.ndarray, *, shape: tuple[int, ...]) -> np.ndarray:
    return np.broadcast_to(x, shape)


def concatenate(*xs: np.ndarray, axis: int) -> np.ndarray:
    return np.concatenate(xs, axis=axis)


def slice(x: np.ndarray, *, index: Index) -> np.ndarray:
    return x[(*_as_slices(index), ...)]  # the ellipsis keeps a rank 0 result an array


def slice_grad(grad_y: np.ndarray, *, shape: tuple[int, ...], index: Index) -> np.ndarray:
    """Zeros of `shape` with grad_y where `slice` took its elements."""
    grad_x = np.zeros(shape, grad_y.dtype)
    grad_x[(*_as_slices(index), ...)] = grad_y
    return grad_x


def pad(
    x: np.ndarray, *, pad_width: tuple[tuple[int, int], ...], mode: str, constant: Any
) -> np.ndarray:
    if x.ndim == 0:  # numpy.pad refuses an empty pad_width
        return x
    if mode == "constant":
        return np.pad(x, pad_width, mode="constant", constant_values=constant)
    if mode == "reflect":
        return np.pad(x, pad_width, mode="reflect")
    if mode == "symmetric":
        return np.pad(x, pad_width, mode="symmetric")
    raise ValueError(f"pad: mode must be 'constant', 'reflect' or 'symmetric', received {mode!r}")


def flip(x: np.ndarray, *, axis: tuple[int, ...]) -> np.ndarray:
    return np.flip(x, axis)


def cast(x: np.ndarray, *, dtype: str) -> np.ndarray:
    if dtype == "bool":
        return np.asarray(x != 0)
    with np.errstate(all="ignore"):  # overflow, and NaN to int: no surprise in a cast
        return x.astype(dtype)


def _as_slices(index: Index) -> tuple[builtins.slice, ...]:
    return tuple(builtins.slice(start, stop, step) for start, stop, step in index)
