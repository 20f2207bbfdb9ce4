"""Writers of images' operations."""

from __future__ import annotations

import itertools

import numpy as np

from nkeras.backend.resampling import rows
from nkeras.export.onnx.graph import Value, constant, node
from nkeras.export.onnx.writers.shape import rank, sizes, turned, unsqueezed
from nkeras.export.onnx.writers.table import computes


@computes("resample")
def _resample(
    x: Value,
    *,
    axis: int,
    size: int,
    method: str,
    antialias: bool,
    scale: float,
    translation: float,
    transposed: bool,
) -> Value:
    """The table of the kernels, as indices where cells are only moved, else as a matrix."""
    before = sizes(x)[axis]
    table = rows(before, size, method, antialias, scale, translation, transposed)
    if table.cells.shape[1] == 1 and (table.weights == 1.0).all():
        return node("Gather", x, constant(table.cells[:, 0]), axis=axis)
    matrix = np.zeros((before, size))
    places = np.repeat(np.arange(size), table.cells.shape[1])
    np.add.at(matrix, (table.cells.reshape(-1), places), table.weights.reshape(-1))
    last = rank(x) - 1
    axes = [*range(rank(x))]
    axes[axis], axes[last] = last, axis
    product = node("MatMul", turned(x, tuple(axes)), constant(matrix, x.dtype))
    return turned(product, tuple(axes))


_FAR = 2**30  # coordinates that are farther away count as this one
_INT64 = np.dtype("int64")


@computes("sample")
def _sample(x: Value, coordinates: Value, *, order: int, mode: str, fill_value: float) -> Value:
    """A sum over the corners around each point, as in the kernels."""
    dtype, axes = x.dtype, sizes(x)[1:-1]
    assert dtype is not None
    lower = _rounded(coordinates) if order == 0 else node("Floor", coordinates)
    near = node("Less", node("Abs", lower), constant(_FAR, dtype))
    cells = node("Cast", node("Where", near, lower, constant(_FAR, dtype)), to=_INT64)
    places = [node("Gather", cells, constant(axis), axis=1) for axis in range(len(axes))]
    above = node("Sub", coordinates, lower)
    upper = [node("Gather", above, constant(axis), axis=1) for axis in range(len(axes))]
    total = None
    for corner in itertools.product(range(1 + order), repeat=len(axes)):
        moved = [
            node("Add", place, constant(step)) if step else place
            for place, step in zip(places, corner, strict=True)
        ]
        at = [_placed(place, size, mode) for place, size in zip(moved, axes, strict=True)]
        index = node("Concat", *[unsqueezed(one, -1) for one in at], axis=-1)
        values = node("GatherND", x, index, batch_dims=1)
        if mode == "constant":
            inside = unsqueezed(_inside(moved, axes), -1)
            values = node("Where", inside, values, constant(fill_value, dtype))
        for step, fraction in zip(corner, upper, strict=True) if order else ():
            weight = fraction if step else node("Sub", constant(1, dtype), fraction)
            values = node("Mul", values, unsqueezed(weight, -1))
        total = values if total is None else node("Add", total, values)
    assert total is not None
    return total


def _rounded(x: Value) -> Value:
    """The nearest whole numbers, halves away from zero."""
    whole = _truncated(x)
    rest = node("Sub", x, whole)
    return node("Add", whole, _truncated(node("Add", rest, rest)))


def _truncated(x: Value) -> Value:
    return node("Mul", node("Sign", x), node("Floor", node("Abs", x)))


def _inside(places: list[Value], axes: tuple[int, ...]) -> Value:
    found = None
    for place, size in zip(places, axes, strict=True):
        for operator, limit in (("GreaterOrEqual", 0), ("Less", size)):
            one = node(operator, place, constant(limit))
            found = one if found is None else node("And", found, one)
    assert found is not None
    return found


def _placed(place: Value, size: int, mode: str) -> Value:
    """The cell that stands for one beyond the edges."""
    turn = {"wrap": size, "reflect": 2 * size, "mirror": 2 * size - 2}.get(mode, 0)
    if not turn:
        return node("Clip", place, constant(0), constant(size - 1))
    place = node("Mod", place, constant(turn))
    if mode == "wrap":
        return place
    back = node("Sub", constant(2 * size - (1 if mode == "reflect" else 2)), place)
    return node("Where", node("Less", place, constant(size)), place, back)
