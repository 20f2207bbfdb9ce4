"""Shape, layout and dtype changes. Results may be views of the input."""

import builtins

import numpy as np

from nkeras_numpy.namespace import Array, joined, namespace, stacked
from nkeras_numpy.registry import KERNELS
from nkeras_numpy.windows import Ints, Pairs

Index = tuple[tuple[int, int | None, int] | int, ...]


@KERNELS.register
def reshape(x: Array, *, shape: Ints) -> Array:
    return namespace(x).reshape(x, shape)


@KERNELS.register
def transpose(x: Array, *, axes: Ints) -> Array:
    return namespace(x).transpose(x, axes)


@KERNELS.register
def broadcast_to(x: Array, *, shape: Ints) -> Array:
    return namespace(x).broadcast_to(x, shape)


@KERNELS.register
def repeat(x: Array, *, repeats: Ints) -> Array:
    """Each element along each axis several times in a row."""
    for axis, times in enumerate(repeats):
        x = namespace(x).repeat(x, times, axis)
    return x


@KERNELS.register
def concatenate(*xs: Array, axis: int) -> Array:
    return joined(xs, axis)


@KERNELS.register
def stack(*xs: Array, axis: int) -> Array:
    return stacked(xs, axis)


@KERNELS.register
def slice_update(x: Array, updates: Array, *, index: Index) -> Array:
    """A copy of ``x`` with ``updates`` where ``slice`` would take its elements."""
    y = x.copy()
    y[_as_slices(index)] = updates
    return y


def _as_slices(index: Index) -> tuple[builtins.slice | int, ...]:
    return tuple(part if isinstance(part, int) else builtins.slice(*part) for part in index)


@KERNELS.register
def slice(x: Array, *, index: Index) -> Array:
    return x[(*_as_slices(index), ...)]  # the ellipsis keeps a rank 0 result an array


@KERNELS.register
def slice_grad(grad_y: Array, *, shape: Ints, index: Index) -> Array:
    """Zeros of ``shape`` with ``grad_y`` where ``slice`` took its elements."""
    grad_x = namespace(grad_y).zeros(shape, grad_y.dtype)
    grad_x[_as_slices(index)] = grad_y
    return grad_x


@KERNELS.register
def pad(x: Array, *, pad_width: Pairs, mode: str, constant: float) -> Array:
    if x.ndim == 0:  # numpy.pad refuses an empty pad_width
        return x
    options = {"constant_values": constant} if mode == "constant" else {}
    return namespace(x).pad(x, pad_width, mode=mode, **options)


@KERNELS.register
def flip(x: Array, *, axis: Ints) -> Array:
    return namespace(x).flip(x, axis)


@KERNELS.register
def bitcast(x: Array, *, dtype: str) -> Array:
    return namespace(x).ascontiguousarray(x).view(np.dtype(dtype))


@KERNELS.register
def cast(x: Array, *, dtype: str) -> Array:
    if dtype == "bool":
        return namespace(x).asarray(x != 0)
    if x.dtype.kind == "c" and not dtype.startswith("complex"):
        x = x.real
    with np.errstate(all="ignore"):  # overflow, and NaN to int: no surprise in a cast
        return x.astype(dtype)
