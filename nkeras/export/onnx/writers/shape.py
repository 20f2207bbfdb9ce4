"""Writers of what moves values: shapes, slices, padding, casts."""

from __future__ import annotations

from typing import Any

import numpy as np

from nkeras.core import dtypes
from nkeras.export.onnx.cuts import bounds
from nkeras.export.onnx.graph import Value, constant, node
from nkeras.export.onnx.writers.table import writes

Shape = tuple[int, ...]


def rank(x: Value) -> int:
    """The number of axes of an argument."""
    return len(sizes(x))


def sizes(x: Value) -> Shape:
    """The shape of an argument; those of values inside a writer are not kept."""
    assert x.shape is not None
    return x.shape


def turned(x: Value, axes: tuple[int, ...]) -> Value:
    """The value with its axes in another order."""
    return x if axes == tuple(range(len(axes))) else node("Transpose", x, perm=list(axes))


def reshaped(x: Value, shape: Shape) -> Value:
    """The value in another shape."""
    return node("Reshape", x, constant(shape), allowzero=1 if 0 in shape else None)


def unsqueezed(x: Value, *axes: int) -> Value:
    """The value with axes of size 1."""
    return node("Unsqueeze", x, constant(axes))


def squeezed(x: Value, *axes: int) -> Value:
    """The value without axes of size 1."""
    return node("Squeeze", x, constant(axes))


def expanded(x: Value, shape: Shape) -> Value:
    """The value broadcast to a shape; runtimes do not know how for bfloat16."""
    if x.dtype is None or dtypes.name_of(x.dtype) != "bfloat16":
        return node("Expand", x, constant(shape))
    wide = node("Cast", x, to=np.dtype("float32"))
    return node("Cast", node("Expand", wide, constant(shape)), to=x.dtype)


@writes("reshape")
def _reshape(x: Value, *, shape: Shape) -> Value:
    return x if shape == x.shape else reshaped(x, shape)


@writes("transpose")
def _transpose(x: Value, *, axes: tuple[int, ...]) -> Value:
    return turned(x, axes)


@writes("broadcast_to")
def _broadcast_to(x: Value, *, shape: Shape) -> Value:
    return x if shape == x.shape else expanded(x, shape)


@writes("concatenate")
def _concatenate(*xs: Value, axis: int) -> Value:
    return node("Concat", *xs, axis=axis)


@writes("stack")
def _stack(*xs: Value, axis: int) -> Value:
    return node("Concat", *[unsqueezed(x, axis) for x in xs], axis=axis)


@writes("slice")
def _slice(x: Value, *, index: tuple[Any, ...]) -> Value:
    dropped = [axis for axis, part in enumerate(index) if isinstance(part, int)]
    parts = [(part, part + 1, 1) if isinstance(part, int) else part for part in index]
    parts += [(0, size, 1) for size in sizes(x)[len(parts) :]]
    starts, stops, steps = ([part[i] for part in parts] for i in range(3))
    stops = [np.iinfo(np.int64).min if stop is None else stop for stop in stops]
    result = node("Slice", x, *bounds(starts, stops, steps), is_cut=True)
    return squeezed(result, *dropped) if dropped else result


@writes("slice_update")
def _slice_update(x: Value, updates: Value, *, index: tuple[Any, ...]) -> Value:
    """Places along the axes that are cut, in front, where `ScatterND` wants them."""
    shape = sizes(x)
    index = (*index, *((0, size, 1) for size in shape[len(index) :]))
    whole = [part == (0, size, 1) for part, size in zip(index, shape, strict=True)]
    cut = [axis for axis, is_whole in enumerate(whole) if not is_whole]
    dropped = [axis for axis, part in enumerate(index) if isinstance(part, int)]
    if dropped:
        updates = unsqueezed(updates, *dropped)
    if not cut:
        return updates
    lines = [np.arange(size)[_as_slice(index[axis])] for axis, size in enumerate(shape)]
    places = np.stack(np.meshgrid(*[lines[axis] for axis in cut], indexing="ij"), -1)
    axes = (*cut, *[axis for axis, is_whole in enumerate(whole) if is_whole])
    back = tuple(int(axis) for axis in np.argsort(axes))
    found = node("ScatterND", turned(x, axes), constant(places), turned(updates, axes))
    return turned(found, back)


def _as_slice(part: Any) -> slice:
    return slice(part, part + 1) if isinstance(part, int) else slice(*part)


@writes("slice_grad")
def _slice_grad(grad_y: Value, *, shape: Shape, index: tuple[Any, ...]) -> Value:
    zeros = expanded(constant(0, grad_y.dtype), shape)
    zeros.shape = shape
    return _slice_update(zeros, grad_y, index=index)


@writes("flip")
def _flip(x: Value, *, axis: tuple[int, ...]) -> Value:
    if not axis:
        return x
    least = np.iinfo(np.int64).min
    bounds = [-1] * len(axis), [least] * len(axis), axis, [-1] * len(axis)
    return node("Slice", x, *[constant(one) for one in bounds])


@writes("repeat")
def _repeat(x: Value, *, repeats: tuple[int, ...]) -> Value:
    """Along a new axis behind each one."""
    apart = [size for n in sizes(x) for size in (n, 1)]
    wide = [size for n, times in zip(sizes(x), repeats, strict=True) for size in (n, times)]
    together = tuple(n * times for n, times in zip(sizes(x), repeats, strict=True))
    thin = reshaped(x, tuple(apart))
    thin.dtype = x.dtype
    return reshaped(expanded(thin, tuple(wide)), together)


_numbers = constant  # an argument of `pad` has that name


@writes("pad")
def _pad(x: Value, *, pad_width: tuple[tuple[int, int], ...], mode: str, constant: float) -> Value:
    if not any(any(pair) for pair in pad_width):
        return x
    if mode == "symmetric":
        return _symmetric(x, pad_width)
    widths = [low for low, _ in pad_width] + [high for _, high in pad_width]
    filling = _numbers(constant, x.dtype) if mode == "constant" else None
    return node("Pad", x, _numbers(widths), filling, mode=mode)


def _symmetric(x: Value, pad_width: tuple[tuple[int, int], ...]) -> Value:
    """ONNX mirrors around the middle of the last cell only: each axis is gathered."""
    for axis, (low, high) in enumerate(pad_width):
        if low or high:
            places = np.pad(np.arange(sizes(x)[axis]), (low, high), mode="symmetric")
            shape = (*sizes(x)[:axis], len(places), *sizes(x)[axis + 1 :])
            x = node("Gather", x, constant(places), axis=axis)
            x.shape = shape
    return x


@writes("cast")
def _cast(x: Value, *, dtype: str) -> Value:
    if x.data is not None:  # a variable is stored as the model reads it
        data = x.data.astype(dtypes.to_numpy(dtype))
        return Value(data.shape, data.dtype, data, x.path)
    return node("Cast", x, to=dtypes.to_numpy(dtype))
