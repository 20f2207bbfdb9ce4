"""Reductions along axes, running sums, the largest and their places."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nkeras import ops
from nkeras.models.onnx.rearranging import without
from nkeras.models.onnx.table import Call, operator
from nkeras.models.onnx.values import Value, placed


def _norm(x: Any, axes: Any, keep: bool) -> Any:
    return ops.sqrt(ops.sum(ops.square(x), axes, keep))


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "ReduceMean": ops.mean,
    "ReduceSum": ops.sum,
    "ReduceMax": ops.max,
    "ReduceMin": ops.min,
    "ReduceProd": ops.prod,
    "ReduceL1": lambda x, axes, keep: ops.sum(ops.abs(x), axes, keep),
    "ReduceL2": _norm,
    "ReduceSumSquare": lambda x, axes, keep: ops.sum(ops.square(x), axes, keep),
    "ReduceLogSum": lambda x, axes, keep: ops.log(ops.sum(x, axes, keep)),
    "ReduceLogSumExp": ops.logsumexp,
}


@operator(*_FUNCTIONS)
def _reduce(call: Call) -> Value:
    x = call.traced()
    axes = call.listed("axes", 1, 13 if call.operator == "ReduceSum" else 18)
    if not axes and call.flag("noop_with_empty_axes", False):
        return x
    places = call.axes(axes, x.rank) if axes else list(range(x.rank))
    function = _FUNCTIONS[call.operator]

    def same(value: Any) -> Any:  # sums of integers keep their dtype
        return value if value.dtype == x.dtype else ops.cast(value, x.dtype)

    if call.flag("keepdims", True):
        inside = tuple(sorted(placed(axis, x.rank, x.is_last) for axis in places))
        sizes = [1 if axis in places else size for axis, size in enumerate(x.sizes)]
        return call.made(same(function(x.tensor, inside, True)), sizes, x.is_last)
    return without(call, x, places, lambda tensor, inside: same(function(tensor, inside, False)))


@operator("ArgMax", "ArgMin")
def _extreme(call: Call) -> Value:
    x = call.traced()
    axis = call.axis(call.integer("axis", 0), x.rank)
    function = ops.argmax if call.operator == "ArgMax" else ops.argmin
    from_end = call.flag("select_last_index", False)
    size = x.sizes[axis]
    if from_end and not isinstance(size, int):
        call.fail("`select_last_index` needs a known size of the axis.")
    keep = call.flag("keepdims", True)

    def found(tensor: Any, places: tuple[int, ...]) -> Any:
        if not from_end:
            return ops.cast(function(tensor, places[0], keep), "int64")
        last = function(ops.flip(tensor, places[0]), places[0], keep)
        return ops.cast(ops.subtract(size - 1, last), "int64")

    if keep:
        sizes = [1 if i == axis else length for i, length in enumerate(x.sizes)]
        return call.made(found(x.tensor, (placed(axis, x.rank, x.is_last),)), sizes, x.is_last)
    return without(call, x, [axis], found)


@operator("CumSum")
def _running_sum(call: Call) -> Value:
    x, axis = call.traced(), call.axis(int(call.scalar(1)), call.traced().rank)
    tensor = x.first
    reverse = call.flag("reverse", False)
    if reverse:
        tensor = ops.flip(tensor, axis)
    total = ops.cumsum(tensor, axis)
    if call.flag("exclusive", False):
        total = ops.subtract(total, tensor)
    return call.made(ops.flip(total, axis) if reverse else total, x.sizes)


@operator("TopK")
def _top_k(call: Call) -> list[Value]:
    x = call.traced()
    axis = call.axis(call.integer("axis", -1), x.rank)
    count = call.integer("k", 0) if call.opset < 10 else int(call.scalar(1))
    size = x.sizes[axis]
    if count < 1 or (isinstance(size, int) and count > size):
        call.fail(f"there are no {count} largest among {size}.")
    lines = ops.moveaxis(x.first, axis, -1) if axis != x.rank - 1 else x.first
    is_largest = call.flag("largest", True)
    if not is_largest and not x.dtype.startswith(("float", "bfloat", "int")):
        call.fail(f"the smallest of {x.dtype} are not searched for.")
    values, places = ops.top_k(lines if is_largest else ops.negative(lines), count)
    values = values if is_largest else ops.negative(values)
    places = ops.cast(places, "int64")
    sizes = list(x.sizes)
    sizes[axis] = count
    made: list[Value] = []
    for tensor in (values, places):
        turned = ops.moveaxis(tensor, -1, axis) if axis != x.rank - 1 else tensor
        made.append(call.made(turned, sizes))
    return made
