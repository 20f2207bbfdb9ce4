"""Writers of gathering and scattering."""

from __future__ import annotations

import numpy as np

from nkeras.export.onnx.graph import Value, constant, node
from nkeras.export.onnx.writers.shape import Shape, expanded, sizes, turned, unsqueezed
from nkeras.export.onnx.writers.table import computes, writes

_INT64 = np.dtype("int64")


def _long(indices: Value) -> Value:
    return node("Cast", indices, to=_INT64)


@writes("take")
def _take(x: Value, indices: Value, *, axis: int) -> Value:
    return node("Gather", x, indices, axis=axis)


@computes("take_grad")
def _take_grad(grad_y: Value, indices: Value, *, shape: Shape, axis: int) -> Value:
    """Slices are added in front, where `ScatterND` wants its places."""
    count, axes = len(sizes(indices)), list(range(len(sizes(grad_y))))
    before, between, behind = axes[:axis], axes[axis : axis + count], axes[axis + count :]
    updates = turned(grad_y, (*between, *before, *behind))
    zeros = expanded(constant(0, grad_y.dtype), (shape[axis], *shape[:axis], *shape[axis + 1 :]))
    places = unsqueezed(_long(indices), count)
    added = node("ScatterND", zeros, places, updates, reduction="add")
    return turned(added, (*range(1, axis + 1), 0, *range(axis + 1, len(shape))))


@writes("take_along_axis")
def _take_along_axis(x: Value, indices: Value, *, axis: int) -> Value:
    """Other axes are brought to one size first."""
    pairs = list(zip(sizes(x), sizes(indices), strict=True))
    common = [max(pair) if 0 not in pair else 0 for pair in pairs]
    whole = tuple(pairs[d][0] if d == axis else size for d, size in enumerate(common))
    chosen = tuple(pairs[d][1] if d == axis else size for d, size in enumerate(common))
    x = x if whole == sizes(x) else expanded(x, whole)
    indices = indices if chosen == sizes(indices) else expanded(indices, chosen)
    return node("GatherElements", x, indices, axis=axis)


@writes("gather_nd")
def _gather_nd(x: Value, indices: Value) -> Value:
    return node("GatherND", x, _long(indices))


@computes("take_along_axis_grad")
def _take_along_axis_grad(grad_y: Value, indices: Value, *, shape: Shape, axis: int) -> Value:
    zeros = expanded(constant(0, grad_y.dtype), shape)
    return node("ScatterElements", zeros, _long(indices), grad_y, axis=axis, reduction="add")


@computes("scatter_nd")
def _scatter_nd(indices: Value, values: Value, *, shape: Shape) -> Value:
    zeros = expanded(constant(0, values.dtype), shape)
    return node("ScatterND", zeros, _long(indices), values, reduction="add")


@writes("scatter_update")
def _scatter_update(x: Value, indices: Value, updates: Value) -> Value:
    return node("ScatterND", x, _long(indices), updates)


@computes("scatter_reduce")
def _scatter_reduce(x: Value, indices: Value, updates: Value, *, reduction: str) -> Value:
    return node("ScatterND", x, _long(indices), updates, reduction=reduction)
