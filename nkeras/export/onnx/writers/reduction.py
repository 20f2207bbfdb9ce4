"""Writers of reductions, running sums, sorting and searching."""

from __future__ import annotations

import numpy as np

from nkeras.core import dtypes
from nkeras.export.onnx.formulas import cast
from nkeras.export.onnx.graph import Value, constant, node, nodes
from nkeras.export.onnx.writers.shape import rank, sizes, unsqueezed
from nkeras.export.onnx.writers.table import computes, writes

Axes = tuple[int, ...]
_INT32, _INT64 = np.dtype("int32"), np.dtype("int64")


def reduced(operator: str, x: Value, axis: Axes, keepdims: bool = True) -> Value:
    """A reduction over some axes; over none of them nothing is reduced."""
    nothing = 1 if not axis else None
    return node(operator, x, constant(axis), keepdims=int(keepdims), noop_with_empty_axes=nothing)


def _reduction(primitive: str, operator: str) -> None:
    @computes(primitive)
    def _(x: Value, *, axis: Axes, keepdims: bool) -> Value:
        return reduced(operator, x, axis, keepdims)


for _primitive, _operator in {
    "reduce_sum": "ReduceSum",
    "reduce_mean": "ReduceMean",
    "reduce_prod": "ReduceProd",
    "reduce_max": "ReduceMax",
    "reduce_min": "ReduceMin",
}.items():
    _reduction(_primitive, _operator)


@computes("sum_of_squares")
def _sum_of_squares(x: Value) -> Value:
    return reduced("ReduceSumSquare", x, tuple(range(rank(x))), keepdims=False)


def _without_nan(worst: float, operator: str, x: Value, axis: Axes, keepdims: bool) -> Value:
    """The reduction of what is a number; NaN where nothing is."""
    if x.dtype is None or not dtypes.is_floating(dtypes.name_of(x.dtype)):
        return reduced(operator, x, axis, keepdims)
    is_nan = node("IsNaN", x)
    filled = node("Where", is_nan, constant(worst, x.dtype), x)
    all_nan = reduced("ReduceMin", node("Cast", is_nan, to=_INT32), axis, keepdims)
    found = reduced(operator, filled, axis, keepdims)
    return node("Where", node("Cast", all_nan, to=np.dtype(bool)), constant(np.nan, x.dtype), found)


@computes("reduce_fmax")
def _reduce_fmax(x: Value, *, axis: Axes, keepdims: bool) -> Value:
    return _without_nan(-np.inf, "ReduceMax", x, axis, keepdims)


@computes("reduce_fmin")
def _reduce_fmin(x: Value, *, axis: Axes, keepdims: bool) -> Value:
    return _without_nan(np.inf, "ReduceMin", x, axis, keepdims)


def _of_truth(operator: str, x: Value, axis: Axes, keepdims: bool) -> Value:
    number = node("Cast", x, to=_INT32)
    return node("Cast", reduced(operator, number, axis, keepdims), to=np.dtype(bool))


@writes("reduce_any")
def _reduce_any(x: Value, *, axis: Axes, keepdims: bool) -> Value:
    return _of_truth("ReduceMax", x, axis, keepdims)


@writes("reduce_all")
def _reduce_all(x: Value, *, axis: Axes, keepdims: bool) -> Value:
    return _of_truth("ReduceMin", x, axis, keepdims)


def _place(operator: str, x: Value, axis: int, keepdims: bool) -> Value:
    if x.dtype == bool:
        x = cast(x, _INT32)
    return node("Cast", node(operator, x, axis=axis, keepdims=int(keepdims)), to=_INT32)


@computes("argmax")
def _argmax(x: Value, *, axis: int, keepdims: bool) -> Value:
    return _place("ArgMax", x, axis, keepdims)


@computes("argmin")
def _argmin(x: Value, *, axis: int, keepdims: bool) -> Value:
    return _place("ArgMin", x, axis, keepdims)


@computes("cumsum")
def _cumsum(x: Value, *, axis: int) -> Value:
    return node("CumSum", x, constant(axis))


def sorted_by(x: Value, axis: int, largest: bool, count: int | None = None) -> list[Value]:
    """The values in order along an axis, and where they stood."""
    k = constant([sizes(x)[axis] if count is None else count])
    return nodes("TopK", [x, k], 2, axis=axis, largest=int(largest), sorted=1)


@computes("sort")
def _sort(x: Value, *, axis: int) -> Value:
    return sorted_by(x, axis, largest=False)[0]


@computes("argsort")
def _argsort(x: Value, *, axis: int) -> Value:
    return node("Cast", sorted_by(x, axis, largest=False)[1], to=_INT32)


@computes("top_k")
def _top_k(x: Value, *, k: int) -> tuple[Value, Value]:
    values, places = sorted_by(x, rank(x) - 1, largest=True, count=k)
    return values, node("Cast", places, to=_INT32)


@computes("searchsorted")
def _searchsorted(line: Value, values: Value, *, right: bool) -> Value:
    """How many elements of the line are less, counted."""
    column = unsqueezed(values, rank(values))
    is_before = node("LessOrEqual" if right else "Less", line, column)
    count = node("Cast", is_before, to=_INT32)
    return reduced("ReduceSum", count, (rank(values),), keepdims=False)
