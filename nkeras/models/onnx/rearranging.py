"""Shapes: reshaping, turning, joining, repeating; sizes that are open stay open."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nkeras import ops
from nkeras.core.errors import short
from nkeras.models.onnx.folding import filling, quotient
from nkeras.models.onnx.open_sizes import rearranged
from nkeras.models.onnx.table import Call, operator
from nkeras.models.onnx.values import AnySize, Known, Size, Traced, Value, placed, product


@operator("Reshape")
def _reshape(call: Call) -> Value:
    x, wanted = call.traced(), call.sizes(1)
    keeps_zero = call.flag("allowzero", False)
    target: list[AnySize] = []
    for i, size in enumerate(wanted):
        if size == 0 and not keeps_zero:
            if i >= x.rank:
                call.fail(f"the shape {_text(wanted)} keeps axis {i}, of {x.rank}.")
            size = x.sizes[i]
        target.append(size)
    return reshaped(call, x, target)


def _text(sizes: Any) -> str:
    return short([str(size) for size in sizes])


def reshaped(call: Call, x: Traced, target: list[AnySize]) -> Traced:
    """A tensor in another shape, in which one size may be -1.

    Args:
        call: the node.
        x: the tensor.
        target: sizes.
    """
    open_places = [i for i, size in enumerate(target) if size == -1]
    if len(open_places) > 1:
        call.fail(f"the shape {_text(target)} leaves two sizes open.")
    total = product(x.sizes)
    if open_places:
        others = product([size for size in target if size != -1])
        target[open_places[0]] = quotient(total, others, call)
    elif product(target) != total:
        call.fail(f"a tensor of shape {_text(x.sizes)} cannot get the shape {_text(target)}.")
    if target == list(x.sizes):
        return x
    unknown = [i for i, size in enumerate(target) if isinstance(size, Size)]
    if len(unknown) > 1:
        tensor = rearranged(x.first, x.sizes, target)
        if tensor is None:
            call.fail(
                f"the shape {_text(target)} has {len(unknown)} sizes that the file leaves open, of "
                f"a tensor of shape {_text(x.sizes)}."
            )
        return call.made(tensor, target)
    shape = tuple(-1 if isinstance(size, Size) else size for size in target)
    return call.made(ops.reshape(x.first, shape), target)


@operator("Flatten")
def _flatten(call: Call) -> Value:
    x = call.traced()
    axis = call.integer("axis", 1)
    axis = axis + x.rank if axis < 0 else axis
    if not 0 <= axis <= x.rank:
        call.fail(f"there is no axis {axis} in a tensor with {x.rank} axes.")
    return reshaped(call, x, [product(x.sizes[:axis]), product(x.sizes[axis:])])


@operator("Transpose")
def _transpose(call: Call) -> Value:
    x = call.traced()
    axes = call.integers("perm") or list(reversed(range(x.rank)))
    if sorted(axes) != list(range(x.rank)):
        call.fail(f"`perm` must be a permutation of {x.rank} axes, not {short(axes)}.")
    sizes = [x.sizes[axis] for axis in axes]
    if x.is_last and axes == [0, *range(2, x.rank), 1]:
        return Traced(x.tensor, sizes)
    if not x.is_last and x.rank > 2 and axes == [0, x.rank - 1, *range(1, x.rank - 1)]:
        return Traced(x.tensor, sizes, channels_last=True)
    return call.made(ops.transpose(x.first, axes), sizes)


@operator("Squeeze")
def _squeeze(call: Call) -> Value:
    x = call.traced()
    axes = call.listed("axes", 1, 13)
    if axes is None:
        axes = [axis for axis, size in enumerate(x.sizes) if size == 1]
    axes = call.axes(axes, x.rank)
    if any(x.sizes[axis] != 1 for axis in axes):
        call.fail(f"the axes {short(axes)} of {_text(x.sizes)} are not all of size 1.")
    return without(call, x, axes, lambda tensor, places: ops.squeeze(tensor, places))


def without(call: Call, x: Traced, axes: list[int], function: Any) -> Traced:
    """The result of an op that takes away axes, from the layout at hand if it keeps their order.

    Args:
        call: the node.
        x: the tensor.
        axes: those that go, from the front.
        function: op of a tensor and a tuple of axes.
    """
    kept = [axis for axis in range(x.rank) if axis not in axes]
    order = sorted(kept, key=lambda axis: placed(axis, x.rank, x.is_last))
    is_last = x.is_last and order == kept
    places = tuple(sorted(placed(axis, x.rank, is_last) for axis in axes))
    sizes = [x.sizes[axis] for axis in kept]
    return call.made(function(x.get(is_last), places), sizes)


@operator("Unsqueeze")
def _unsqueeze(call: Call) -> Value:
    x = call.traced()
    axes = call.listed("axes", 1, 13) or []
    rank = x.rank + len(axes)
    places = call.axes(axes, rank)
    tensor, sizes = x.first, list(x.sizes)
    for axis in places:
        tensor = ops.expand_dims(tensor, axis)
        sizes.insert(axis, 1)
    return call.made(tensor, sizes)


@operator("Concat")
def _concat(call: Call) -> Value:
    values = [call.value(place) for place in range(len(call.inputs))]
    rank = values[0].rank
    axis = call.axis(call.integer("axis", 0), rank)
    if any(value.rank != rank for value in values):
        call.fail("its inputs have different numbers of axes.")
    is_last = any(isinstance(value, Traced) and value.is_last for value in values)
    tensors = [_operand(call, place, is_last, rank) for place in range(len(values))]
    sizes = list(values[0].sizes)
    total: Any = 0
    for value in values:
        total = total + value.sizes[axis]
    sizes[axis] = total
    return call.made(ops.concatenate(tensors, placed(axis, rank, is_last)), sizes, is_last)


def _operand(call: Call, place: int, is_last: bool, rank: int) -> Any:
    """An input of its full rank."""
    value = call.value(place)
    if isinstance(value, Known):
        tensor = call.traced(place)
        return tensor.get(is_last)
    return value.get(is_last)


@operator("Expand")
def _expand(call: Call) -> Value:
    value, wanted = call.value(), call.sizes(1)
    rank = max(value.rank, len(wanted))
    own: list[AnySize] = [1] * (rank - value.rank) + list(value.sizes)
    target: list[AnySize] = [1] * (rank - len(wanted)) + list(wanted)
    sizes = [b if a == 1 else a for a, b in zip(own, target, strict=True)]
    if any(b not in (1, s) and not isinstance(s, Size) for b, s in zip(target, sizes, strict=True)):
        call.fail(f"the shape {_text(own)} does not expand to {_text(target)}.")
    added = [b if a == 1 else 1 for a, b in zip(own, target, strict=True)]
    x = call.traced()
    if all(size == 1 for size in added):
        return x if rank == x.rank else reshaped(call, x, sizes)
    return call.made(_repeated(call, x, added), sizes)


def _repeated(call: Call, x: Traced, added: list[AnySize]) -> Any:
    """A tensor broadcast to the sizes `added`, by an addition of zeros."""
    is_bool = x.dtype == "bool"
    tensor = ops.cast(x.first, "int32") if is_bool else x.first
    dtype = "int32" if is_bool else x.dtype
    fixed = [1 if isinstance(size, Size) else size for size in added]
    call.builder.spend(int(np.prod(fixed, dtype=object)))
    tensor = ops.add(tensor, np.zeros(fixed, dtype))
    opened = call.builder.open_zeros(added, dtype, call)
    tensor = tensor if opened is None else ops.add(tensor, opened)
    return ops.cast(tensor, "bool") if is_bool else tensor


@operator("ConstantOfShape")
def _constant_of_shape(call: Call) -> Value:
    value, sizes = filling(call), call.sizes(0)
    fixed = [1 if isinstance(size, Size) else size for size in sizes]
    call.builder.spend(int(np.prod(fixed, dtype=object)))
    dtype = "int32" if value.dtype.name == "bool" else value.dtype.name
    array = np.full(fixed, value.reshape(()), dtype)
    tensor = ops.add(call.builder.open_zeros(sizes, dtype, call), array)
    return call.made(ops.cast(tensor, value.dtype.name), sizes)


@operator("Range")
def _range(call: Call) -> Value:
    sizes = [call.sizes(place)[0] for place in range(3)]
    start, stop, step = sizes
    if start != 0 or step != 1 or not isinstance(stop, Size):
        call.fail("with an open size, only a range from 0 in steps of 1 is read.")
    ones = ops.add(call.builder.open_zeros([stop], "int64", call), 1)
    return call.made(ops.subtract(ops.cumsum(ones, 0), 1), [stop])


@operator("Tile")
def _tile(call: Call) -> Value:
    x, repeats = call.traced(), call.numbers(1)
    if len(repeats) != x.rank or min(repeats, default=1) < 0:
        call.fail(f"it needs {x.rank} numbers of repetitions, not {short(repeats)}.")
    sizes = [size * count for size, count in zip(x.sizes, repeats, strict=True)]
    return call.made(ops.tile(x.first, tuple(repeats)), sizes)


@operator("Trilu")
def _trilu(call: Call) -> Value:
    x = call.traced()
    shift = int(call.scalar(1)) if call.has(1) else 0
    call.builder.spend(math.prod(size for size in x.sizes[-2:] if isinstance(size, int)))
    function = ops.triu if call.flag("upper", True) else ops.tril
    return call.made(function(x.first, shift), x.sizes)
