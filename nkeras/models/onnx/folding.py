"""Operators on what is known when the file is read, such as the arithmetic of shapes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np

from nkeras.core import dtypes
from nkeras.core.errors import cut_text, short
from nkeras.models.onnx.table import Call
from nkeras.models.onnx.tensors import dtype_of
from nkeras.models.onnx.values import AnySize, Known, Size, divided

Fold: TypeAlias = "Callable[[Call], np.ndarray]"

FOLDS: dict[str, Fold] = {}
"""What computes each operator on known arrays."""
ALWAYS = ("Shape", "Size")
"""Operators that are folded although their input is a symbolic tensor."""


def fold(*names: str) -> Callable[[Fold], Fold]:
    """Decorator: enter a function that computes these operators."""

    def enter(rule: Fold) -> Fold:
        FOLDS.update(dict.fromkeys(names, rule))
        return rule

    return enter


def _arrays(call: Call) -> list[np.ndarray]:
    return [value.array for value in call.inputs if isinstance(value, Known)]


def sizes_array(sizes: Sequence[AnySize]) -> np.ndarray:
    """A list of sizes as array."""
    if any(isinstance(size, Size) for size in sizes):
        array = np.empty(len(sizes), object)
        array[:] = list(sizes)
        return array
    return np.array(sizes, np.int64)


@fold("Constant")
def _constant(call: Call) -> np.ndarray:
    kinds: dict[str, Any] = {"value": None, "value_float": np.float32, "value_floats": np.float32}
    kinds |= {"value_int": np.int64, "value_ints": np.int64}
    given = [name for name in call.node.attributes if name in kinds]
    if len(given) != 1 or call.node.attributes[given[0]] is None:
        call.fail("a constant must be one tensor, or one list of floats or int.")
    return np.asarray(call.node.attributes[given[0]], kinds[given[0]])


@fold("Shape")
def _shape(call: Call) -> np.ndarray:
    sizes = call.value().sizes
    return sizes_array(sizes[call.integer("start", 0) : call.integer("end", len(sizes))])


@fold("Size")
def _size(call: Call) -> np.ndarray:
    total: Any = 1
    for size in call.value().sizes:
        total = total * size
    return sizes_array([total]).reshape(())


@fold("Identity", "Dropout")
def _same(call: Call) -> np.ndarray:
    return _arrays(call)[0]


@fold("Cast", "CastLike")
def _cast(call: Call) -> np.ndarray:
    array = _arrays(call)[0]
    if call.operator == "CastLike":
        dtype = call.value(1).dtype
    else:
        dtype = dtype_of(call.integer("to", 0), f"node {short(call.node.name, 60)}")
    if array.dtype == object:
        if not dtypes.is_integer(dtype):
            call.fail("a size that is open can only be cast to an integer.")
        return array
    call.builder.spend(array.size)
    return array.astype(dtypes.to_numpy(dtype))


def _truncated(x: Any, y: Any) -> Any:
    if x.dtype == object or y.dtype == object:
        return x // y
    if x.dtype.kind in "iu":
        quotient = np.abs(x) // np.abs(y)
        return np.where((x < 0) != (y < 0), -quotient, quotient)
    return x / y


def _equal_sizes(x: AnySize, y: AnySize) -> bool:
    """Whether sizes are equal; those that are open are at least 1."""
    if isinstance(x, Size) == isinstance(y, Size):
        return x == y
    size, number = (x, y) if isinstance(x, Size) else (y, x)
    assert isinstance(size, Size)
    assert isinstance(number, int)
    if number >= size.factor and number % size.factor == 0:
        raise ValueError(f"whether the open size {size} is {number} is not known")
    return False


_equal_elements: Any = np.frompyfunc(_equal_sizes, 2, 1)


def _equal(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    if object in (x.dtype, y.dtype):
        return np.asarray(_equal_elements(x.astype(object), y.astype(object)), bool)
    return np.equal(x, y)


_TWO: dict[str, Callable[[Any, Any], Any]] = {
    "Add": lambda x, y: x + y,
    "Sub": lambda x, y: x - y,
    "Mul": lambda x, y: x * y,
    "Div": _truncated,
    "Mod": np.mod,
    "Pow": lambda x, y: np.power(x, y).astype(x.dtype),
    "Max": np.maximum,
    "Min": np.minimum,
    "Equal": _equal,
    "Greater": np.greater,
    "GreaterOrEqual": np.greater_equal,
    "Less": np.less,
    "LessOrEqual": np.less_equal,
    "And": np.logical_and,
    "Or": np.logical_or,
    "Xor": np.logical_xor,
}
_ON_OPEN_SIZES = ("Add", "Sub", "Mul", "Div", "Equal")


@fold(*_TWO)
def _two(call: Call) -> np.ndarray:
    first, *others = _arrays(call)
    call.builder.spend(math.prod(np.broadcast_shapes(first.shape, *(o.shape for o in others))))
    for other in others:
        if object in (first.dtype, other.dtype) and call.operator not in _ON_OPEN_SIZES:
            call.fail("it is not computed of sizes that the file leaves open.")
        first = np.asarray(_TWO[call.operator](first, other))
    return first


_ONE: dict[str, Callable[[Any], Any]] = {
    "Neg": np.negative,
    "Abs": np.abs,
    "Sqrt": np.sqrt,
    "Floor": np.floor,
    "Ceil": np.ceil,
    "Not": np.logical_not,
    "Reciprocal": lambda x: (1.0 / x).astype(x.dtype),
}


@fold(*_ONE)
def _one(call: Call) -> np.ndarray:
    array = _arrays(call)[0]
    if array.dtype == object:
        call.fail("it is not computed of sizes that the file leaves open.")
    call.builder.spend(array.size)
    return _ONE[call.operator](array)


@fold("Where")
def _where(call: Call) -> np.ndarray:
    condition, x, y = _arrays(call)
    call.builder.spend(math.prod(np.broadcast_shapes(condition.shape, x.shape, y.shape)))
    return np.where(condition, x, y)


@fold("Reshape")
def _reshape(call: Call) -> np.ndarray:
    array = _arrays(call)[0]
    sizes = [
        array.shape[i] if size == 0 and not call.flag("allowzero", False) else size
        for i, size in enumerate(call.numbers(1))
    ]
    return array.reshape(sizes)


@fold("Flatten")
def _flatten(call: Call) -> np.ndarray:
    array, axis = _arrays(call)[0], call.integer("axis", 1)
    axis = axis + array.ndim if axis < 0 else axis
    return array.reshape((math.prod(array.shape[:axis]), -1))


@fold("Transpose")
def _transpose(call: Call) -> np.ndarray:
    return np.transpose(_arrays(call)[0], call.integers("perm"))


@fold("Squeeze")
def _squeeze(call: Call) -> np.ndarray:
    axes = call.listed("axes", 1, 13)
    return np.squeeze(_arrays(call)[0], None if axes is None else tuple(axes))


@fold("Unsqueeze")
def _unsqueeze(call: Call) -> np.ndarray:
    return np.expand_dims(_arrays(call)[0], tuple(call.listed("axes", 1, 13) or ()))


@fold("Concat")
def _concat(call: Call) -> np.ndarray:
    arrays = _arrays(call)
    call.builder.spend(sum(array.size for array in arrays))
    return np.concatenate(arrays, call.integer("axis", 0))


@fold("Gather")
def _gather(call: Call) -> np.ndarray:
    array, axis = _arrays(call)[0], call.integer("axis", 0)
    indices = call.array(1)
    call.builder.spend(indices.size * math.prod(array.shape) // max(array.shape[axis], 1))
    return np.asarray(np.take(array, indices, axis))


@fold("Slice")
def _slice(call: Call) -> np.ndarray:
    array = _arrays(call)[0]
    return array[slices(call, array.shape)]


def slices(call: Call, sizes: Sequence[AnySize]) -> tuple[slice, ...]:
    """The part that Slice takes of each axis.

    Args:
        call: the node.
        sizes: of its input; open ones can be cut only where that does not depend on the size.
    """
    rank = len(sizes)
    old = call.opset < 10
    starts = (call.integers("starts") or []) if old else call.numbers(1)
    stops = (call.integers("ends") or []) if old else call.sizes(2)
    axes = call.integers("axes") if old else (call.numbers(3) if call.has(3) else None)
    steps = call.numbers(4) if call.has(4) else [1] * len(starts)
    axes = list(range(len(starts))) if axes is None else [call.axis(axis, rank) for axis in axes]
    if not len(starts) == len(stops) == len(axes) == len(steps) or len(set(axes)) != len(axes):
        call.fail("starts, ends, axes and steps must be lists of one length, each axis once.")
    found = [slice(None)] * rank
    for axis, start, stop, step in zip(axes, starts, stops, steps, strict=True):
        if step == 0:
            call.fail("a step is 0.")
        if isinstance(stop, Size):
            if stop != sizes[axis]:
                call.fail(f"the end {cut_text(str(stop))} of a slice is open.")
            stop = 2**31 if step > 0 else -(2**63)
        size = sizes[axis]
        if step < 0:  # Python has no number for "before the first" but None
            stop = None if stop < -(2**31) or (isinstance(size, int) and stop < -size) else stop
        first = None if (step < 0 and start >= 2**31 - 1) else start
        last = None if step > 0 and stop is not None and stop >= 2**31 - 1 else stop
        found[axis] = slice(first, last, None if step == 1 else step)
    return tuple(found)


@fold("ConstantOfShape")
def _constant_of_shape(call: Call) -> np.ndarray:
    value = filling(call)
    sizes = call.numbers(0)
    if any(size < 0 for size in sizes):
        call.fail(f"the shape {short(sizes)} has a negative size.")
    call.builder.spend(math.prod(sizes))
    return np.full(sizes, value.reshape(()), value.dtype)


def filling(call: Call) -> np.ndarray:
    """The one number that ConstantOfShape repeats."""
    value: Any = call.node.attributes.get("value", np.zeros(1, np.float32))
    if not isinstance(value, np.ndarray) or value.size != 1:
        call.fail("the attribute `value` must be a tensor with one number.")
    return value


@fold("Expand")
def _expand(call: Call) -> np.ndarray:
    array, sizes = _arrays(call)[0], call.numbers(1)
    shape = np.broadcast_shapes(array.shape, tuple(sizes))
    call.builder.spend(math.prod(shape))
    return np.broadcast_to(array, shape)


@fold("Tile")
def _tile(call: Call) -> np.ndarray:
    array, repeats = _arrays(call)[0], call.numbers(1)
    call.builder.spend(array.size * math.prod(repeats))
    return np.tile(array, repeats)


@fold("Range")
def _range(call: Call) -> np.ndarray:
    start, stop, step = (call.array(place).reshape(()) for place in range(3))
    if step == 0 or not np.isfinite(np.array([start, stop, step], np.float64)).all():
        call.fail("a range needs numbers, and a step that is not 0.")
    count = max(math.ceil((float(stop) - float(start)) / float(step)), 0)
    call.builder.spend(count)
    return (start + np.arange(count, dtype=start.dtype) * step).astype(start.dtype)


@fold("ReduceProd", "ReduceSum", "ReduceMax", "ReduceMin")
def _reduced(call: Call) -> np.ndarray:
    array = _arrays(call)[0]
    axes = call.listed("axes", 1, 13 if call.operator == "ReduceSum" else 18)
    if array.dtype == object and (call.operator != "ReduceProd" or array.ndim != 1):
        call.fail("it is not computed of sizes that the file leaves open.")
    if axes is not None and not axes and call.flag("noop_with_empty_axes", False):
        return array
    functions = {"ReduceProd": np.prod, "ReduceSum": np.sum, "ReduceMax": np.max}
    function: Callable[..., Any] = functions.get(call.operator, np.min)
    keep = call.flag("keepdims", True)
    found = function(array, axis=tuple(axes) if axes else None, keepdims=keep)
    if array.dtype == object:
        return sizes_array([found if isinstance(found, (int, Size)) else found.item()]).reshape(
            (1,) if keep else ()
        )
    return np.asarray(found, array.dtype)


def quotient(size: AnySize, by: AnySize, call: Call) -> AnySize:
    """The quotient of sizes that must be one."""
    found = divided(size, by)
    if found is None:
        call.fail(f"{cut_text(str(size))} elements cannot be shared by {cut_text(str(by))}.")
    return found
